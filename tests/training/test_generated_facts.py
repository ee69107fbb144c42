"""What the generators tell: sums, facts, stories and what was said before, all of it true."""

from __future__ import annotations

import re
from random import Random

import pytest
from hypothesis import given, strategies

from edge_sdk.training.generators import (
    cast,
    common,
    countries,
    echo,
    intents,
    made_up,
    numbers,
    order,
    recall,
    relations,
    stories,
    tables,
    wrapping,
)

SEEDS = strategies.integers(0, 2**32)


@given(SEEDS)
def test_sums_are_right(seed: int) -> None:
    turns = numbers.sum_(Random(seed))
    for answer in turns[1::2]:
        found = re.match(r"(\d+) (plus|minus|times|\+|-|\*|x) (\d+) (?:is|=) (\d+)", answer)
        if found:
            first, sign, second, result = found.groups()
            first_, second_ = int(first), int(second)
            results = {"plus": first_ + second_, "minus": first_ - second_}
            results |= {"times": first_ * second_, "+": results["plus"], "-": results["minus"]}
            results |= {"*": results["times"], "x": results["times"]}
            assert int(result) == results[sign]


@given(SEEDS)
def test_what_was_told_is_what_is_recalled(seed: int) -> None:
    rng = Random(seed)
    fact = recall.name(rng)
    assert fact.slots["v"] in fact.told(rng)[0].title() and fact.slots["v"] in fact.asked(rng)[1]
    assert "Tern" in " ".join(recall.mine_and_yours(rng)[1::2])
    for part in (recall.exchange(rng, intents.small_talk), recall.corrected(rng)):
        assert len(part) % 2 == 0 and not any("{" in turn for turn in part)


@given(SEEDS)
def test_capitals_are_said_of_their_own_countries(seed: int) -> None:
    rng = Random(seed)
    table = countries.table()
    country = rng.choice(table)
    for made in (countries._reverse, countries._two, countries._either, countries._blank):
        answer = made(rng, country, table)[1].casefold()
        named = country.name if made is countries._reverse else country.capital
        assert named.casefold() in answer, answer
    question, answer = countries._truth(rng, country, table)
    assert country.capital in answer
    assert ".." not in answer
    if country.name not in country.capital:
        right = set(_words(country.capital)) <= set(_words(question))
        assert answer.startswith("Yes" if right else "No"), (question, answer)


@pytest.mark.parametrize("kind", recall._kinds()[0])
def test_each_kind_of_fact_is_told_and_told_again_in_its_own_words(kind: str) -> None:
    for seed in range(30):
        rng = Random(f"{kind} {seed}")
        fact = recall.make(kind, rng)
        told, answer = fact.told(rng)[0].casefold(), fact.asked(rng)[1].casefold()
        assert set(_words(fact.slots["v"])) <= set(_words(told)), told
        assert set(_words(fact.slots["y"])) <= set(_words(answer)), answer


@given(SEEDS)
def test_an_echo_says_only_what_was_said(seed: int) -> None:
    turns = echo.exchange(Random(seed))
    assert set(_words(turns[1])) <= set(_words(turns[0])), turns
    assert turns[3:] in ([], [turns[1]])


def test_made_up_names_are_one_word_and_rarely_a_listed_one() -> None:
    made = {made_up.made_name(Random(seed)) for seed in range(400)}
    assert all(re.fullmatch("[A-Z][a-z]{2,10}", name) for name in made)
    assert len(made) > 380 and len(made & set(made_up._real_names())) < 20


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold())


def test_a_story_keeps_to_what_was_asked_for() -> None:
    wanted = [("animal", "owl"), ("person", "pirate"), ("person", "queen"), ("child", "Yuki")]
    wanted += [("thing", "spoon"), ("big", "lighthouse")]
    for seed, (kind, noun) in enumerate(wanted * 20):
        rng = Random(seed)
        hero = cast.subject(rng, kind, noun)
        told = " ".join(stories.story(rng, stories.Wish(hero=hero)).steps)
        named = hero.name and told.count(hero.name)
        assert told.count(noun) >= (1 if named else 2) and hero.look in told, told


@given(SEEDS)
def test_a_story_keeps_to_the_other_hero_and_to_the_place(seed: int) -> None:
    rng = Random(seed)
    hero, place = cast.subject(rng, "animal"), ("on the moon", "the moon")
    other = cast.subject(rng, rng.choice(("thing", "big", "person")))
    wish = stories.Wish(hero=hero, other=other, place=place)
    told = " ".join(stories.story(rng, wish).steps).lower()
    assert other.noun in told and hero.noun in told and "on the moon" in told


def test_stories_are_short_and_many() -> None:
    texts = [stories.text(Random(seed)) for seed in range(400)]
    lengths = sorted(len(text.split()) for text in texts)
    assert lengths[0] >= 25 and lengths[-1] <= 175 and 80 <= lengths[200] <= 130
    assert len(set(texts)) == len(texts)
    for text in texts:
        assert not re.search(
            r"\b(?:a (?!one)[aeio]\w|an (?!hour)[^aeiouAEIOU])|\b(\w+) \1\b", text
        ), text


@given(SEEDS)
def test_the_order_told_is_right(seed: int) -> None:
    for answer in order.exchange(Random(seed))[1::2]:
        told = re.fullmatch(r"(?:No, |Yes, )?(\w+) comes (after|before) (\w+)\.", answer)
        if told:
            later, earlier = (told[1], told[3]) if told[2] == "after" else (told[3], told[1])
            series = next(one for one in order.SERIES if told[1].lower() in _small(one.items))
            items = _small(series.items)
            after = (items.index(earlier.lower()) + 1) % len(items)
            assert items[after] == later.lower(), answer


def _small(items: tuple[str, ...]) -> list[str]:
    return [item.lower() for item in items]


@given(SEEDS)
def test_little_stories_name_the_numbers_of_the_question(seed: int) -> None:
    rng = Random(seed)
    rng.random()
    question, answer = numbers._little_story(rng)
    first, word, second, made = re.findall(r"\d+|plus|minus|times", answer)[:4]
    assert int(made) == numbers.result(int(first), int(second), word)
    for number in (first, second):
        figure = re.search(rf"\b{number}\b", question)
        bikes = "bicycle" in question.lower() or "wheel" in question.lower()
        assert figure or bikes or numbers.NUMBERS[int(number)] in question.lower(), question


def test_every_maker_of_facts_ends_every_turn() -> None:
    makers = (common.exchange, common.word, relations.exchange, order.exchange, numbers.sum_)
    for seed in range(2000):
        for make in makers:
            turns = make(Random(seed))
            assert len(turns) % 2 == 0 and all(turns) and turns[1][-1] in '.!?"', turns


def test_claims_about_tables_are_judged_rightly() -> None:
    for seed, table in enumerate(tables.read_sections("relations").values()):
        if "check" not in " ".join(table.get("~", ())):
            continue
        rng, rows = Random(seed), relations._rows(table)
        for row in rows * 3:
            question, answer = relations._claim(table, rows, row, rng)
            verdict = re.match(r"(?:That's (?:not )?right|Not quite|Yes|No|True)[.,] ", answer)
            assert verdict, answer
            told = answer[verdict.end() :].rstrip(".").lower()
            right = not verdict[0].startswith(("No", "That's not"))
            assert (told in question.lower()) == right, (question, answer)
            assert row[1].lower() in told


def test_tables_have_no_contradictions() -> None:
    rows = tables.read_rows("countries")
    assert len({row[0] for row in rows}) == len(rows) and all(len(row) == 5 for row in rows)
    words = [row[0] for row in tables.read_rows("words")]
    assert len(words) == len(set(words))


@given(SEEDS)
def test_frames_leave_alone_what_the_answer_holds_too(seed: int) -> None:
    rng = Random(seed)
    name = made_up.made_name(rng)
    for text in (f"{name} is my name.", f"What is the opposite of {name}?", f"Tell me {name}."):
        said = wrapping.reword(wrapping.recast(text, rng, (name,)), rng, (name,))
        said = wrapping.shorten(said, rng, (name,))
        assert name in wrapping.surround(said, rng, (name,))
        assert name in wrapping.remark(text, rng, (name,))


def test_a_question_is_asked_in_other_forms() -> None:
    asked = {wrapping.recast("What is the capital of Peru?", Random(seed)) for seed in range(400)}
    assert len(asked) > 200 and all("capital of Peru" in text for text in asked)
    asked = {wrapping.recast("How many legs does a spider have?", Random(at)) for at in range(300)}
    assert any("how many legs a spider has" in text for text in asked)
    assert wrapping.recast("Rain again.", Random(0)) == "Rain again."
