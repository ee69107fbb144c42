"""What the generators make: the same for one seed, true, and with every figure from the line."""

from __future__ import annotations

import json
import lzma
import math
import re
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, strategies

from edge_sdk.errors import Rejected
from edge_sdk.evaluation.checks import invented
from edge_sdk.status_line import Readings
from edge_sdk.training.corpus import Document
from edge_sdk.training.generators import (
    DOCUMENTS,
    comparisons,
    countries,
    exchanges,
    generate,
    intents,
    report,
    status,
    tables,
    unknown,
    written,
)
from edge_sdk.training.generators.facts_shard import Facts, read_facts
from edge_sdk.training.generators.phrasing import rough
from edge_sdk.training.recipe import get_recipe

SEEDS = strategies.integers(0, 2**32)


@pytest.fixture(name="documents", scope="module")
def _documents(tmp_path_factory: pytest.TempPathFactory) -> list[Document]:
    return list(generate(tmp_path_factory.mktemp("none"), seed=1, scale=0.01))


def test_the_same_seed_gives_the_same_text(documents: list[Document], tmp_path: Path) -> None:
    assert documents == list(generate(tmp_path, seed=1, scale=0.01))
    other = list(generate(tmp_path, seed=2, scale=0.01))
    assert len(set(documents) & set(other)) < len(documents) / 3


def test_every_kind_is_there_once_each_and_well_formed(documents: list[Document]) -> None:
    assert {document.source for document in documents} == set(DOCUMENTS)
    assert len({document.parts for document in documents}) == len(documents)
    for document in documents:
        assert document.chat == (document.source != "tales")
        assert len(document.parts) % 2 == (0 if document.chat else 1)
        for part in document.parts:
            assert part.strip() == part and part
            assert not re.search(r"[{}|]|\(\w+\|", part), part
            assert "Cortana" not in part and "Alexa" not in part


def test_answers_begin_with_a_capital_and_end_with_a_mark(documents: list[Document]) -> None:
    for document in documents:
        for answer in document.parts[1::2] if document.chat else document.parts:
            assert not answer[0].isalpha() or answer[0].isupper(), answer
            assert answer[-1] in '.!?"', answer


@given(SEEDS)
def test_no_figure_of_a_status_answer_is_made_up(seed: int) -> None:
    rng = Random(seed)
    seen = status.random_readings(rng)
    question, answer = status.exchange(rng, seen)
    assert not invented(answer, seen.line(), question, "60")


@given(SEEDS)
def test_without_readings_no_figure_is_told(seed: int) -> None:
    rng = Random(seed)
    _, answer = status.exchange(rng, Readings())
    assert not re.search(r"\d", answer), answer


@given(SEEDS)
def test_comparisons_are_right(seed: int) -> None:
    rng = Random(seed)
    turns = comparisons.with_limit(rng, status.random_readings(rng)) + comparisons.of_numbers(rng)
    for question, answer in (turns[:2], turns[2:]):
        told = re.match(
            r"\D*?(\d[\d.]*).* (more|less|larger|smaller) than (?:a )?(\d+(?:\.\d)?)", answer
        )
        if told:
            more = told[2] in ("more", "larger")
            assert more == (float(told[1]) > float(told[3])), (question, answer)


def test_half_of_the_verdicts_are_yes_whatever_the_numbers_of_digits() -> None:
    verdicts: dict[tuple[int, int], list[bool]] = {}
    rng = Random(0)
    for _ in range(20_000):
        _, answer = comparisons.of_numbers(rng)
        if answer.startswith(("Yes", "No")):
            first, second = (len(part.split(".")[0]) for part in re.findall(r"\d[\d.]*", answer))
            verdicts.setdefault((first, second), []).append(answer.startswith("Yes"))
    frequent = {sizes: said for sizes, said in verdicts.items() if max(sizes) <= 4}
    assert len([said for said in frequent.values() if len(said) > 50]) >= 14
    for sizes, said in frequent.items():
        assert len(said) <= 200 or 0.35 < sum(said) / len(said) < 0.65, sizes


def test_an_answer_names_no_more_than_its_question_does() -> None:
    names = {
        name
        for section in tables.read_sections("unknown").values()
        for line in section.get("+", ())
        for name in line.partition(" ")[2].split("|")
        if name[0].isupper() and len(name) > 6
    }
    for seed in range(1500):
        question, answer = unknown.exchange(Random(seed), {})
        for name in names:
            assert name not in answer or name.lower() in question.lower(), (question, answer)


def test_there_is_as_much_as_the_page_on_training_says() -> None:
    assert len(tables.read_sections("plots")) >= 20
    assert len(written.dialogues()) >= 150
    assert len(tables.read_rows("words")) >= 300
    assert len(tables.read_rows("countries")) >= 130
    kinds = {**tables.read_sections("status"), **tables.read_sections("compare")}
    assert len(kinds) + len(tables.read_lines("unseen")) >= 30


FILES = (
    *("status", "compare", "readings", "larger", "persona", *intents.SMALL_TALK, "unknown"),
    *("recall", "geography"),
)


@pytest.mark.parametrize("name", FILES)
def test_each_intent_has_ten_ways_to_ask_and_three_to_answer(name: str) -> None:
    for title, section in tables.read_sections(name).items():
        asked = sum(_ways(line) for mark in "?<" for line in section.get(mark, ()))
        assert asked == 0 or asked >= 10, title
        for mark in set(section) - set("?<+:~>"):
            assert sum(map(_ways, section[mark])) >= 3, (title, mark)


def test_an_answer_names_only_what_was_asked_about() -> None:
    section = {
        "?": ("My {animal} is ill.", "I feel bad."),
        "!": ("Poor {animal}!", "Oh no."),
        "+": ("animal/trait newt/small|yak/large",),
    }
    said = {tuple(intents.section_turns(section, Random(seed))) for seed in range(200)}
    answers = {answer for question, answer in said if "bad" in question.lower()}
    assert answers == {"Oh no."}
    for animal in ("newt", "yak"):
        named = {answer for question, answer in said if animal in question.lower()}
        assert named == {"Oh no.", f"Poor {animal}!"}


def test_marks_alone_stay_as_they_are() -> None:
    section = {"?": ("??",), "!": ("Yes?",)}
    assert all(intents.section_turns(section, Random(n)) == ["??", "Yes?"] for n in range(50))


@pytest.mark.parametrize("name", ["persona", *intents.SMALL_TALK])
def test_every_slot_is_filled_and_every_question_answered(name: str) -> None:
    for title, section in tables.read_sections(name).items():
        for line in section["?"]:
            for answer in section["!"]:
                alone = {**section, "?": (*section["?"], line), "!": (answer, "Yes.")}
                turns = intents.section_turns(alone, Random(line))
                assert not any("{" in turn for turn in turns), (title, turns)
        for seed in range(20):
            assert all(intents.section_turns(section, Random(seed))), title


def test_each_unseen_reading_has_ten_ways_to_ask() -> None:
    for what, *questions in status._unseen_rows():
        assert sum(map(_ways, questions)) >= 10, what


def _ways(line: str) -> int:
    """How many sentences a wording stands for."""
    while match := re.search(r"\(([^()]*)\)", line):
        parts = match[1].split("|")
        total = sum(math.prod(map(int, re.findall(r"#(\d+)#", part))) for part in parts)
        line = f"{line[: match.start()]}#{total}#{line[match.end() :]}"
    return math.prod(map(int, re.findall(r"#(\d+)#", line)))


def test_the_name_is_the_recipe_s() -> None:
    assert get_recipe("tern").persona_name == intents.NAME


def _country(name: str, city: str) -> dict[str, str]:
    facts = {"city": city, "continent": "Europe"}
    return {"src": "country", "country": name, "text": json.dumps(facts)}


def test_facts_of_a_corpus_add_countries_and_phrasings(tmp_path: Path) -> None:
    lines = [
        _country("Montenegro", "Podgorica"),
        _country("Cut", "Aga ["),
        {"src": "clinc", "text": "wake me at six", "intent": "alarm"},
    ]
    text = "\n".join(map(json.dumps, lines))
    (tmp_path / "facts.jsonl.xz").write_bytes(lzma.compress(text.encode()))
    facts = read_facts(tmp_path)
    assert [country.capital for country in facts.countries] == ["Podgorica"]
    assert len(countries.table(facts.countries)) == len(countries.table()) + 1
    said = {unknown.exchange(Random(seed), facts.phrasings)[0] for seed in range(40)}
    assert any("wake me at six" in text.lower() for text in said)
    assert set(exchanges(facts)) == set(DOCUMENTS) - {"mixed", "tales"}


def test_a_damaged_facts_shard_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "facts.jsonl.xz").write_bytes(b"not xz")
    with pytest.raises(Rejected, match="cannot be read"):
        read_facts(tmp_path)
    assert read_facts(tmp_path / "absent") == Facts()


@given(SEEDS, strategies.text(max_size=60))
def test_typing_never_fails(seed: int, text: str) -> None:
    assert isinstance(rough(text, Random(seed)), str)


def test_report_counts_documents_words_and_grams() -> None:
    chat = Document("a", ("one two three four five six", "Yes."), chat=True)
    counts = report.count([chat, chat, Document("b", ("Once more.",), chat=False)], len)
    assert counts["a"]["documents"] == 2 and counts["a"]["distinct_answers"] == 1
    assert (counts["a"]["grams"], counts["a"]["distinct_grams"]) == (4, 2)
    assert counts["all"]["tokens"] == 2 * (27 + 4) + 10


def test_each_table_of_facts_has_fifteen_ways_to_ask() -> None:
    asked = tables.read_sections("relations") | tables.read_sections("order")
    asked |= {title: tables.read_sections("common")[title] for title in ("opposite", "word")}
    for title, section in asked.items():
        least = 5 if title in ("follow", "two before", "number of", "numbers of the body") else 15
        assert sum(_ways(part) for line in section["?"] for part in line.split(" / ")) >= least, (
            title
        )
