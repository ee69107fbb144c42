"""Who and what a story is about: animals, people, things, names and places from cast.txt.

It knows how they are named and which pronoun they take; it does not know plots.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from random import Random

from edge_sdk.training.generators.tables import read_lines, read_sections

SHE = (
    "Lily Mia Anna Zoe Ella Nina Ruby Sara Lucy Maya Ida Clara Greta Rosa Layla Priya Mei Yuki "
    "Amara Nora Wilhelmina Ottilie Beatrix Ximena Thandi Ingrid Saskia Odette Freya Marisol"
)
HE = (
    "Tom Ben Sam Max Leo Jack Tim Omar Finn Noah Emil Oscar Hugo Luca Pablo Ravi Kenji Kofi Yusuf "
    "Ivan Bartholomew Casimir Thaddeus Ignatius Leopold Mateo Anders Wendell Rufus Tobias"
)
_PRONOUNS = {
    "he": ("he", "his", "him", "himself"),
    "she": ("she", "her", "her", "herself"),
    "it": ("it", "its", "it", "itself"),
}
_INDOORS: tuple[str, ...] = (
    "kitchen",
    "attic",
    "shop",
    "bakery",
    "library",
    "train",
    "hollow",
    "tent",
    "cave",
)
_INDOORS += ("lighthouse", "museum", "house on", "school", "station", "cloud", "ship", "mill")


@dataclass(frozen=True)
class Subject:
    """Someone or something that a story is about.

    kind: animal, person, thing (small), big (a big thing), child (a name alone) or pair.
    """

    kind: str
    noun: str
    look: str = ""
    name: str = ""
    pronoun: str = "it"

    @property
    def alive(self) -> bool:
        """Whether it moves and speaks in any story."""
        return self.kind in ("animal", "person", "child")

    @property
    def bare(self) -> str:
        """ "clumsy penguin"."""
        return f"{self.look} {self.noun}".strip()

    def full(self) -> str:
        """At the first mention: "a clumsy penguin called Pip"."""
        if self.kind == "pair":
            return self.noun
        called = f" called {self.name}" if self.name else ""
        return article(self.bare) + called

    def asked(self, rng: Random) -> str:
        """As a user says it."""
        if self.kind == "child":
            return rng.choice((self.name, self.name, self.full()))
        if self.name and self.kind == "animal" and rng.random() < 0.3:
            return f"my {self.bare} {self.name}"
        if self.name and rng.random() < 0.4:
            return self.full().replace(" called ", " named ")
        if self.kind != "pair" and not self.name and rng.random() < 0.08:
            return f"the {self.bare}"
        return self.full()

    def pronouns(self) -> dict[str, str]:
        """The slots he, his, him, himself and those that begin a sentence."""
        words = dict(zip(("he", "his", "him", "himself"), _PRONOUNS[self.pronoun], strict=True))
        return words | {"He": words["he"].capitalize(), "His": words["his"].capitalize()}


@cache
def members(section: str) -> tuple[str, ...]:
    """The entries of a section of cast.txt."""
    lines = read_sections("cast")[section]["*"]
    return tuple(part.strip() for line in lines for part in line.split(","))


def article(noun: str) -> str:
    """ "an owl", "a unicorn", "a one-eyed pirate"."""
    vowel = noun[:1].lower() in "aeiou" and not noun.startswith(("uni", "one-", "use"))
    return f"{'an' if vowel else 'a'} {noun}"


def subject(rng: Random, kind: str = "", noun: str = "") -> Subject:
    """A subject by chance; of a kind, or with a noun of that kind."""
    kind = kind or rng.choices(("animal", "person", "thing", "big", "child", "pair"),
                               (38, 24, 12, 12, 9, 5))[0]  # fmt: skip
    if kind == "child":
        she = rng.random() < 0.5
        name = noun or (_made_up(rng) if rng.random() < 0.5 else rng.choice(
            (SHE if she else HE).split()))  # fmt: skip
        she = name in SHE.split() if name in f"{SHE} {HE}".split() else she
        return Subject(kind, "girl" if she else "boy", _look(rng, "tempers", 0.15, "boy girl"),
                       name, "she" if she else "he")  # fmt: skip
    if kind == "pair":
        return Subject(kind, noun or rng.choice(members("pairs")))
    sections = {"animal": "animals", "person": "people", "thing": "things", "big": "big things"}
    entry = noun or rng.choice(members(sections[kind]))
    if noun and kind == "person":
        entry = next(one for one in members("people") if one in (noun, f"{noun} {one[-2:]}",
                                                                 f"{noun} {one[-3:]}"))  # fmt: skip
    head, _, pronoun = entry.rpartition(" ")
    if kind == "person" and pronoun in _PRONOUNS:
        entry = head
    else:
        pronoun = rng.choice(("he", "she")) if kind == "person" else "it"
    tempers = "looks" if kind in ("thing", "big") else "tempers"
    look = _look(rng, tempers, 0.6, entry)
    name = ""
    if rng.random() < (0.3 if kind in ("animal", "person") else 0.08):
        she = pronoun == "she" or (pronoun == "it" and rng.random() < 0.5)
        name = _made_up(rng) if rng.random() < 0.6 else rng.choice((SHE if she else HE).split())
        pronoun = "she" if she else "he"
    return Subject(kind, entry, look, name, pronoun)


def place(rng: Random, one: Subject) -> tuple[str, str]:
    """Where a story about `one` may happen: with its preposition, and short."""
    while True:
        line = rng.choice(read_sections("cast")["places"]["*"])
        whole, _, short = (part.strip() for part in line.partition("|"))
        inside = one.kind == "big" and any(word in whole for word in _INDOORS)
        if not inside and one.noun not in whole:
            return whole, short


def names(rng: Random, count: int, pair: str = "") -> list[str]:
    """Different names, from the lists or made up; those of a pair fit it."""
    if pair == "a brother and a sister":
        return [rng.choice(HE.split()), rng.choice(SHE.split())]
    if pair in ("two brothers", "two sisters"):
        return rng.sample((HE if "brothers" in pair else SHE).split(), 2)
    known = " ".join(read_lines("names")).split()
    found: list[str] = []
    while len(found) < count:
        name = _made_up(rng) if rng.random() < 0.25 else rng.choice(known)
        if name not in found:
            found.append(name)
    return found


def _look(rng: Random, section: str, share: float, noun: str) -> str:
    if rng.random() >= share:
        return ""
    look = rng.choice(members(section))
    # No "old old man" and no "small giant lost in lost".
    return "" if set(look.split()) & set(noun.split()) else look


def _made_up(rng: Random) -> str:
    head = "".join(rng.choices(members("syllables"), k=rng.choice((1, 1, 2))))
    return (head + rng.choice(members("endings"))).capitalize()
