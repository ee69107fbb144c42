"""Short stories from the plots of plots.txt, told as text, on request, or begun by the user.

It knows characters, places and things; a story keeps to those that were asked for.
"""

from __future__ import annotations

import re
from random import Random

from edge_sdk.training.generators.phrasing import ask, expand, pick, rough, with_article
from edge_sdk.training.generators.tables import read_sections

_SHE = (
    "Lily Mia Anna Zoe Ella Nina Ruby Sara Lucy Maya Ida Clara Greta Rosa Layla Priya Mei Yuki "
    "Amara Nora"
)
_HE = (
    "Tom Ben Sam Max Leo Jack Tim Omar Finn Noah Emil Oscar Hugo Luca Pablo Ravi Kenji Kofi Yusuf "
    "Ivan"
)
_ANIMALS = (
    "dog",
    "cat",
    "rabbit",
    "fox",
    "bear",
    "mouse",
    "frog",
    "horse",
    "turtle",
    "duck",
    "owl",
    "goat",
    "squirrel",
    "hedgehog",
    "raven",
    "donkey",
    "badger",
    "otter",
    "goose",
    "parrot",
    "pony",
    "mole",
)
_PEOPLE = (
    "king",
    "queen",
    "pirate",
    "farmer",
    "baker",
    "teacher",
    "sailor",
    "princess",
    "wizard",
    "knight",
    "miller",
    "gardener",
    "giant",
    "witch",
    "shepherd",
    "captain",
    "clown",
    "child",
)
_THINGS = (
    "shiny key",
    "red ball",
    "old map",
    "tiny boat",
    "golden coin",
    "blue kite",
    "silver bell",
    "lost ring",
    "warm scarf",
    "wooden horse",
    "small drum",
    "green bottle",
    "striped sock",
    "glass marble",
    "feather",
    "tin whistle",
    "music box",
    "button",
    "lantern",
    "shell",
    "compass",
    "yellow hat",
    "pocket watch",
)
_PLACES = (
    "in a small village",
    "near a big forest",
    "by the sea",
    "in a busy city",
    "on a quiet farm",
    "in a house on a hill",
    "near a wide river",
    "at the edge of the desert",
    "in the mountains",
    "on a green island",
    "in an old mill",
    "in a street with tall houses",
)
_FOODS = (
    "warm bread with honey",
    "pancakes",
    "apple pie",
    "soup",
    "roasted chestnuts",
    "berries and cream",
    "cheese and pears",
    "plum cake",
    "hot chocolate",
    "noodles",
    "nuts and raisins",
    "potatoes from the fire",
)
_SEASONS = ("spring", "summer", "autumn", "winter")
_ASK = (
    "(Tell|Can you tell|Could you tell) me a (short |little |nice |)story(, please|).",
    "(I want|I would like) (to hear |)a (short |little |bedtime |)story.",
    "(Make up|Write|Invent) a (short |little |)story( for me|).",
    "(Do you know|Have you got) a (good |nice |short |)story?",
    "(A|Another|One more) story, please.",
    "Story( please| time|)?",
)
_ASK_ABOUT = (
    "(Tell|Can you tell) me a (short |little |nice |)story about {x}.",
    "(I want|I would like) (to hear |)a (short |)story (about|with) {x}.",
    "(Make up|Write|Invent) a (short |little |)story about {x}( for me|).",
    "(Do you know|Have you got) a story (about|with) {x}?",
    "A story (about|with) {x}, please.",
    "What about a (short |)story (about|with) {x}?",
)
_CONTINUE = (
    "(Continue|Go on with|Finish) (this|the|my) story: {x}",
    "How does (this|the) story go on? {x}",
    "{x} (What happens next|And then|Continue, please|Go on)?",
    "(Please |)(finish|continue) it: {x}",
)
_LEADS = ("", "", "", "", "Gladly! ", "Here is one. ", "Of course. ", "Listen: ")
_QUESTIONS = (
    (
        "(Who is|What is the name of) the (hero|child) (in|of) (the|your) story?",
        "The (hero|child) is called {N}.",
    ),
    ("(What was|What is) the (hero|child|main character) called?", "{N}."),
)


def story(rng: Random, topic: str = "") -> tuple[list[str], dict[str, str]]:
    """The steps of a story, and the slots that it was filled with.

    topic: an animal, person or name that has to be in it; "" is free.
    """
    slots = _slots(rng, topic)
    plots = read_sections("plots")
    wanted = {"a": r"\{a\}|\{A_?\}", "M": r"\{M\}", "N": ""}[_role(topic)] if topic else ""
    while True:
        plot = plots[rng.choice(list(plots))]
        # The n-th lines of all steps belong together.
        variant = rng.randrange(len(plot["1"]))
        steps = [lines[variant] for lines in plot.values()]
        if not wanted or re.search(wanted, " ".join(steps)):
            break
    return [expand(step, rng, **slots) for step in steps], slots


def text(rng: Random) -> str:
    """A story as plain text, with or without an opening."""
    steps, _ = story(rng)
    opening = rng.choice(
        (
            "",
            "",
            "Once upon a time there was a story that went like this. ",
            "Long ago, this happened. ",
        )
    )
    return opening + " ".join(steps)


def exchange(rng: Random) -> list[str]:
    """A story on request; on a topic; begun by the user; or with a question about it afterwards."""
    kind = rng.random()
    if kind < 0.25:
        steps, slots = story(rng)
        turns = [ask(_ASK, rng), rng.choice(_LEADS) + " ".join(steps)]
    elif kind < 0.7:
        topic = _topic(rng)
        steps, slots = story(rng, topic)
        shown = topic if _role(topic) == "N" else with_article(topic)
        turns = [ask(_ASK_ABOUT, rng, x=shown), rng.choice(_LEADS) + " ".join(steps)]
    else:
        steps, slots = story(rng)
        said = rng.randint(1, 3)
        question = pick(_CONTINUE, rng, x=" ".join(steps[:said]))
        turns = [question if rng.random() < 0.7 else rough(question, rng), " ".join(steps[said:])]
    if rng.random() < 0.25 and slots["N"] in turns[-1]:
        question, answer = rng.choice(_QUESTIONS)
        turns += [ask((question,), rng), pick((answer,), rng, N=slots["N"])]
    elif rng.random() < 0.15:
        turns += [
            ask(("(Nice|Lovely|What a nice) story!", "I liked that( story|)."), rng),
            pick(("I'm glad you like it!", "Thank you! Shall I tell another one?"), rng),
        ]
    return turns


def _topic(rng: Random) -> str:
    if rng.random() < 0.55:
        return rng.choice(_ANIMALS)
    return rng.choice(_PEOPLE) if rng.random() < 0.7 else rng.choice(f"{_SHE} {_HE}".split())


def _role(topic: str) -> str:
    return "a" if topic in _ANIMALS else "M" if topic in _PEOPLE else "N"


def _slots(rng: Random, topic: str) -> dict[str, str]:
    she = rng.random() < 0.5
    hero, friend = rng.sample((_SHE if she else _HE).split(), 2)
    friend = rng.choice([name for name in f"{_SHE} {_HE}".split() if name != hero])
    animal, thing, season = rng.choice(_ANIMALS), rng.choice(_THINGS), rng.choice(_SEASONS)
    role = _role(topic)
    if topic and role == "a":
        animal = topic
    elif topic and role == "M":
        friend = f"{friend} the {topic}"
    elif topic:
        hero, she = topic, topic in _SHE.split()
    place = rng.choice(_PLACES)
    he, him, his = ("she", "her", "her") if she else ("he", "him", "his")
    return {
        "N": hero,
        "M": friend,
        "he": he,
        "him": him,
        "his": his,
        "He": he.capitalize(),
        "a": animal,
        "A": with_article(animal),
        "A_": with_article(animal).capitalize(),
        "t": thing,
        "T": with_article(thing),
        "food": rng.choice(_FOODS),
        "season": season,
        "season_": season.capitalize(),
        "place": place,
        "place2": rng.choice(("behind the village", "above the sea", "far from home")),
        "place3": rng.choice(("on a lake", "on a wide river", "by the sea")),
        "place4": rng.choice(("in the village", "in the whole street", "in the town")),
    }
