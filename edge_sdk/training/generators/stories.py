"""Short stories from the plots of plots.txt and tales.txt: as text, on request, or begun by a user.

It knows plots and how a story is asked for; a story keeps to the hero, place and mood asked for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random

from edge_sdk.training.generators import cast
from edge_sdk.training.generators.cast import Subject, article
from edge_sdk.training.generators.phrasing import ask, expand, pick, rough
from edge_sdk.training.generators.tables import read_sections

_SEASONS = ("spring", "summer", "autumn", "winter")
_SLOT = re.compile(r"\{(\w+)\}")
_ANIMATE = (
    "Once upon a time there was {H} who lived {place}.",
    "Once upon a time, {H} lived {place}.",
    "{place} lived {H}.",
    "Long ago, {place}, there lived {H}.",
    "There was once {H}. {He} lived {place}.",
    "Not long ago, {H} lived {place}.",
    "{place} there lived {H}.",
    "This is a story about {H} who lived {place}.",
    "A long time ago there was {H}, and {he} lived {place}.",
    "In those days {H} lived {place}.",
)
_OF_THINGS = (
    "Once upon a time there was {H} {place}.",
    "{place} there was once {H}.",
    "There was once {H} {place}, and {he} could think and talk.",
    "This is a story about {H} {place}.",
    "Long ago there was {H} {place}.",
    "{place}, not far from here, there was {H}.",
)
_PAIRS = (
    "{place} lived {H}, {N} and {M}.",
    "Once upon a time there were {H} called {N} and {M} who lived {place}.",
    "{N} and {M} were {H}. They lived {place}.",
    "There were once {H}, {N} and {M}, who lived {place}.",
)
_LEADS = (
    "Gladly! ",
    "Here is one. ",
    "Of course. ",
    "Listen: ",
    "Yes, I know one. ",
    "All right. ",
)
_LEADS_ABOUT: tuple[str, ...] = (
    "Here is a story about {x}. ",
    "A story about {x}? Gladly. ",
    "Of course. This one is about {x}. ",
    "About {x}? Let me think. ",
)
_FREE: tuple[str, ...] = (
    "",
    "",
    "",
    "short ",
    "little ",
    "nice ",
    "good ",
    "sweet ",
    "new ",
    "simple ",
    "lovely ",
)
_FREE += ("small ", "made-up ", "quiet ", "pretty ", "calm ", "brief ", "quick ")
_KINDS: tuple[str, ...] = (
    "story",
    "story",
    "story",
    "story",
    "tale",
    "fairy tale",
    "bedtime story",
    "fable",
)
_KINDS += ("goodnight story", "children's story", "short story", "little tale", "short tale")
_TINY = ("very short story", "tiny story", "mini story", "story of a few sentences", "tiny tale")
_ABOUT: tuple[str, ...] = (
    "about {x}",
    "about {x}",
    "about {x}",
    "with {x}",
    "with {x} in it",
    "of {x}",
)
_ABOUT += ("that has {x} in it", "where {x} is the hero", "in which {x} appears", "starring {x}")
_ABOUT += ("featuring {x}", "about the adventures of {x}")
_SET = ("set {p}", "that happens {p}", "which takes place {p}", "that plays {p}", "{p}")
_FOR: tuple[str, ...] = (
    "for my kids",
    "for children",
    "for a child of five",
    "for bedtime",
    "to fall asleep",
)
_FOR += ("for my little sister", "before I go to sleep", "for a rainy day")
_MOODS: dict[str, tuple[str, ...]] = {"funny": ("funny", "silly", "merry", "amusing", "jolly")}
_MOODS |= {"sad": ("sad", "a bit sad", "touching", "moving", "quiet and sad")}
_MOODS |= {"adventure": ("exciting", "adventurous", "thrilling")}


@dataclass(frozen=True)
class Wish:
    """What somebody asked for; empty parts are free."""

    hero: Subject | None = None
    other: Subject | None = None
    place: tuple[str, str] | None = None
    mood: str = ""
    tiny: bool = False


@dataclass
class Story:
    """The steps of a story, and what it was filled with."""

    steps: list[str]
    hero: str
    named: bool
    slots: Mapping[str, str] = field(default_factory=dict)


class _Teller:
    """Fills slots; who was named in full is then named shortly, and now and then in full again."""

    def __init__(self, slots: Mapping[str, str], forms: Mapping[str, tuple[str, ...]]) -> None:
        self._slots = dict(slots)
        self._forms = forms
        self._told = dict.fromkeys(forms, 0)

    def fill(self, template: str, rng: Random) -> str:
        """One step; a sentence begins with a capital letter."""
        said = _SLOT.sub(self._slot, expand(template, rng))
        return re.sub(r"^[a-z]", lambda found: found[0].upper(), said)

    def _slot(self, found: re.Match[str]) -> str:
        key = found[1]
        role = key.removesuffix("_")
        if role in self._forms:
            at = self._told[role]
            self._told[role] = at + 1
            forms = self._forms[role]
            said = forms[at] if at < len(forms) else forms[1 + (at - 1) % (len(forms) - 1)]
            return said[:1].upper() + said[1:] if key != role else said
        return self._slots[key]


def story(rng: Random, wish: Wish | None = None) -> Story:
    """A story that has what was wished for."""
    wish = wish or Wish()
    bound = wish.place or wish.other or wish.mood or wish.tiny
    kind = wish.hero.kind if wish.hero else ""
    classic = {"": 0.4, "animal": 0.3, "person": 0.08, "thing": 0.2, "child": 0.6}.get(kind, 0.0)
    if not bound and rng.random() < classic:
        return _classic(rng, wish.hero)
    hero = wish.hero or cast.subject(rng)
    if wish.mood and not hero.alive:
        hero = cast.subject(rng, "animal")
    return _tale(rng, hero, wish)


def text(rng: Random) -> str:
    """A story as plain text."""
    return " ".join(story(rng).steps)


def exchange(rng: Random) -> list[str]:
    """A story on request, or begun by the user; sometimes with something said about it."""
    if rng.random() < 0.27:
        told, turns = _continued(rng)
    else:
        told, turns = _requested(rng)
    chance = rng.random()
    titles = {"liked": 0.1, "next": 0.08, "disliked": 0.03}
    titles["name" if told.named else "hero"] = 0.16
    for title, share in titles.items():
        if chance < share:
            return turns + _remark(title, told, rng)
        chance -= share
    return turns


def _remark(title: str, told: Story, rng: Random) -> list[str]:
    table = read_sections("storyasks")[title]
    slots = {"n": told.hero, "N": told.hero[:1].upper() + told.hero[1:]}
    slots["food"] = told.slots["food"]
    return [ask(_parts(table["?"]), rng), pick(_parts(table["!"]), rng, **slots)]


def _requested(rng: Random) -> tuple[Story, list[str]]:
    wish, chance = _wish(rng), rng.random()
    asks = read_sections("storyasks")
    shown = wish.hero.asked(rng) if wish.hero else ""
    only_hero = wish.hero and wish == Wish(hero=wish.hero)
    if only_hero and chance < 0.4:
        question = ask(_parts(asks["about"]["?"]), rng, x=shown)
    elif wish == Wish() and chance < 0.5:
        question = ask(_parts(asks["any"]["?"]), rng)
    else:
        if wish.other:
            shown += f" and {wish.other.asked(rng)}"
        question = ask(_parts(asks["ask"]["?"]), rng, s=_described(wish, shown, rng))
    told = story(rng, wish)
    lead = rng.choice(_LEADS) if rng.random() < 0.3 else ""
    doubled = told.steps[0].startswith("This is a story")
    if wish.hero and not doubled and not shown.startswith("my ") and rng.random() < 0.2:
        lead = rng.choice(_LEADS_ABOUT).format(x=shown)
    end = " The end." if rng.random() < 0.05 else ""
    return told, [question, lead + " ".join(told.steps) + end]


def _continued(rng: Random) -> tuple[Story, list[str]]:
    told = story(rng)
    said = rng.choice((1, 1, 2, 3)) if len(told.steps) > 4 else 1
    begun = " ".join(told.steps[:said])
    question = pick(_parts(read_sections("storyasks")["continue"]["?"]), rng, b=begun)
    question = question if rng.random() < 0.7 else rough(question, rng, kept=(begun,))
    return told, [question, " ".join(told.steps[said:])]


def _wish(rng: Random) -> Wish:
    chance = rng.random()
    if chance < 0.12:
        return Wish()
    if chance < 0.62:
        return Wish(hero=cast.subject(rng))
    if chance < 0.72:
        hero = cast.subject(rng, rng.choice(("animal", "animal", "person")))
        kind = rng.choice(("animal", "person", "thing", "big", "big"))
        while (other := cast.subject(rng, kind)).noun == hero.noun or other.name:
            pass
        return Wish(hero=hero, other=other)
    if chance < 0.84:
        hero = cast.subject(rng, rng.choice(("animal", "person", "pair")))
        spot = cast.place(rng, hero)
        return Wish(hero=hero if rng.random() < 0.6 else None, place=spot)
    if chance < 0.92:
        lively = cast.subject(rng, rng.choice(("animal", "person")))
        mood = rng.choice(list(_MOODS))
        return Wish(hero=lively if rng.random() < 0.5 else None, mood=mood)
    hero = cast.subject(rng)
    return Wish(hero=hero if rng.random() < 0.6 else None, tiny=True)


def _described(wish: Wish, shown: str, rng: Random) -> str:
    """ "a short story about a fox set on the moon for my kids"."""
    noun = rng.choice(_TINY if wish.tiny else _KINDS)
    if wish.mood:
        noun = f"{rng.choice(_MOODS[wish.mood])} story"
        if wish.mood == "adventure" and rng.random() < 0.5:
            noun = rng.choice(("adventure", "adventure story", "adventure tale"))
    elif not wish.tiny and " " not in noun:
        noun = rng.choice(_FREE) + noun
    parts = [noun if noun.startswith("a ") else article(noun)]
    if wish.mood == "sad" and noun.startswith("a bit"):
        parts = ["a story that is a bit sad"]
    if shown:
        parts.append(rng.choice(_ABOUT).format(x=shown))
    if wish.place:
        parts.append(rng.choice(_SET).format(p=wish.place[0]))
    if rng.random() < 0.12:
        parts.append(rng.choice(_FOR))
    return " ".join(parts)


def _classic(rng: Random, hero: Subject | None) -> Story:
    """A plot around a child, a friend, an animal and a thing; one of them is what was asked for."""
    wanted = {"animal": r"\{[aA]_?\}", "person": r"\{M\}", "thing": r"\{[tT]\}"}
    pattern = wanted.get(hero.kind if hero else "", "")
    while True:
        plot = rng.choice(list(read_sections("plots").values()))
        # The n-th lines of all steps belong together.
        variant = rng.randrange(len(plot["1"]))
        steps = [lines[variant] for lines in plot.values()]
        if not pattern or len(re.findall(pattern, " ".join(steps))) >= 3:
            break
    steps = _introduced(steps)
    kind = hero.kind if hero else ""
    child = hero if hero and kind == "child" else cast.subject(rng, "child")
    friend = next(name for name in cast.names(rng, 2) if name != child.name)
    pet = hero if hero and kind == "animal" else cast.subject(rng, "animal")
    thing = hero if hero and kind == "thing" else cast.subject(rng, "thing")
    slots = _common(rng) | child.pronouns() | {"N": child.name, "t": thing.noun}
    slots |= {"T": article(thing.bare), "place": cast.place(rng, Subject("big", child.noun))[0]}
    slots |= {
        "place2": rng.choice(("behind the village", "above the sea", "far from home")),
        "place3": rng.choice(("on a lake", "on a wide river", "by the sea")),
        "place4": rng.choice(("in the village", "in the whole street", "in the town")),
    }
    forms: dict[str, tuple[str, ...]] = {"a": (pet.bare, pet.noun, pet.noun)}
    forms["A"] = (article(pet.bare), f"the {pet.noun}")
    forms["M"] = (friend, friend)
    if hero and kind == "person":
        friend = hero.name or rng.choice(
            [
                name
                for name in (cast.SHE if hero.pronoun == "she" else cast.HE).split()
                if name != child.name
            ]
        )
        forms["M"] = (f"{friend} the {hero.noun}", f"the {hero.bare}", friend, f"the {hero.noun}")
    teller = _Teller(slots, forms)
    told = [teller.fill(step, rng) for step in steps]
    if hero and kind == "child" and hero.look:
        told[0] = f"{hero.name} was {article(hero.bare)}. {told[0]}"
    if hero and hero.name and kind == "animal":
        told[0] = f"{hero.name} was {article(hero.bare)}. {told[0]}"
    return Story(told, child.name, True, slots)


def _introduced(steps: list[str]) -> list[str]:
    """The steps, where an animal that nobody has spoken of yet is the hero's."""
    for at, step in enumerate(steps):
        if found := re.search(r"(\w+) \{a\}|\{his\} \{a\}|\{A_?\}", step):
            if found[1] in ("the", "The"):
                owner = "{his}" if found[1] == "the" else "{His}"
                step = f"{step[: found.start()]}{owner} {{a}}{step[found.end() :]}"
            return [*steps[:at], step, *steps[at + 1 :]]
    return steps


def _tale(rng: Random, hero: Subject, wish: Wish) -> Story:
    """A plot around any hero, after a sentence that tells who and where."""
    steps = _plot(rng, hero, wish)
    first, second = (hero.name, "") if hero.kind != "pair" else cast.names(rng, 2, hero.noun)
    while True:
        other = cast.subject(rng, rng.choice(("animal", "person")))
        if other.noun != hero.noun and not other.name:
            break
    thing, pet = cast.subject(rng, "thing"), cast.subject(rng, "animal")
    asked = wish.other
    if asked and asked.alive:
        other = asked
    where, spot = wish.place or cast.place(rng, hero)
    slots = _common(rng) | hero.pronouns() | {"place": where, "spot": spot}
    slots |= {"H": hero.full(), "N": first, "M": second, "t": thing.noun}
    slots["T"] = article(thing.bare)
    short = f"the {hero.noun}"
    forms: dict[str, tuple[str, ...]] = {}
    forms["h"] = (hero.name or short, hero.name or f"the {hero.bare}", short, hero.name or short)
    forms["G"] = (article(other.bare), f"the {other.noun}")
    forms["g"] = (f"the {other.noun}", f"the {other.noun}", f"the {other.bare}")
    forms["a"], forms["A"] = (pet.noun, pet.noun), (article(pet.bare), f"the {pet.noun}")
    if asked and not asked.alive:
        forms["O"] = (article(asked.bare), f"the {asked.bare}")
        forms["o"] = (f"the {asked.noun}", f"the {asked.bare}", f"the {asked.noun}")
    intros = _PAIRS if hero.kind == "pair" else _ANIMATE if hero.alive else _OF_THINGS
    teller = _Teller(slots, forms)
    told = [teller.fill(step, rng) for step in (rng.choice(intros), *steps)]
    name = first or short
    return Story(
        told, f"{first} and {second}" if second else name, bool(first) and not second, slots
    )


def _plot(rng: Random, hero: Subject, wish: Wish) -> list[str]:
    kinds = ["pair"] if hero.kind == "pair" else ["live", "any"] if hero.alive else ["thing", "any"]
    if wish.other and not wish.other.alive:
        kinds = ["with"]
    if wish.tiny or (not wish.mood and not wish.other and rng.random() < 0.15):
        kinds = ["short pair" if hero.kind == "pair" else "short any", "short live"]
        kinds = kinds[: 2 if hero.alive else 1]
    while True:
        title, plot = rng.choice(list(read_sections("tales").items()))
        if title.partition(":")[0] not in kinds or wish.mood not in ("", *plot.get("~", ())):
            continue
        variant = rng.randrange(len(plot["1"]))
        steps = [lines[variant] for mark, lines in plot.items() if mark.isdigit()]
        told = " ".join(steps)
        if not (wish.other and wish.other.alive) or "{G" in told:
            return steps


def _common(rng: Random) -> dict[str, str]:
    season = rng.choice(_SEASONS)
    food = rng.choice(cast.members("foods"))
    return {"food": food, "season": season, "season_": season.capitalize()}


def _parts(lines: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(part.strip() for line in lines for part in line.split(" / "))
