"""Facts that the user gives and asks for later in the same chat.

It knows names, things and wordings; what is asked for was said, or is honestly not known.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from edge_sdk.training.generators.phrasing import ask, pick, rough, with_article
from edge_sdk.training.generators.tables import read_lines

_SYLLABLES = ("ba", "do", "ka", "li", "mo", "na", "ro", "sa", "ti", "vu", "ze", "pe", "lu", "ma", "ri")
_CITIES = (
    "Berlin", "Oslo", "Lisbon", "Nairobi", "Quito", "Kyoto", "Dublin", "Krakow", "Austin", "Leeds",
    "Turin", "Basel", "Porto", "Lagos", "Perth", "Lyon", "Ghent", "Bergen", "Denver", "Pune",
    "Hanoi", "Cusco", "Tartu", "Split", "Graz", "Utrecht", "Malmo", "Cardiff", "Bristol", "Malaga",
)
_COLOURS = ("red", "blue", "green", "yellow", "purple", "orange", "black", "white", "pink", "brown")
_FOODS = (
    "pizza", "soup", "rice", "pasta", "apple pie", "curry", "pancakes", "salad", "fish", "dumplings",
    "noodles", "chocolate", "lentils", "cheese", "potatoes", "ice cream", "tacos", "bread", "sushi",
)
_ANIMALS = ("dog", "cat", "rabbit", "parrot", "hamster", "horse", "turtle", "goat", "mouse", "hen")
_JOBS = (
    "teacher", "nurse", "baker", "gardener", "driver", "cook", "painter", "farmer", "doctor",
    "carpenter", "pilot", "singer", "plumber", "librarian", "tailor", "postman", "waiter",
)
_HOBBIES = (
    "swimming", "chess", "painting", "running", "cooking", "hiking", "knitting", "reading", "dancing",
    "fishing", "cycling", "singing", "gardening", "photography", "climbing", "baking", "sailing",
)
_THINGS = (
    "lamp", "bicycle", "hat", "book", "table", "coat", "guitar", "clock", "chair", "bag", "tent",
    "camera", "pair of shoes", "radio", "kite", "teapot", "scarf", "drum", "globe", "mirror",
)
_PLACES = (
    "on the table", "in the kitchen", "under the bed", "in the car", "in the garden", "on the shelf",
    "in my bag", "behind the door", "in the drawer", "by the window", "in the cellar", "on the roof",
)
_WORDS = (
    "apple", "river", "moon", "candle", "forest", "button", "cloud", "tiger", "violin", "pepper",
    "window", "marble", "rocket", "feather", "island", "lantern", "pebble", "saddle", "thunder",
)
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_RELATIVES = ("brother", "sister", "best friend", "teacher", "neighbour", "son", "daughter", "boss", "cousin", "aunt")


@dataclass(frozen=True)
class Fact:
    """One thing that is told: how, what is said to it, how it is asked for and told again."""

    tell: tuple[str, ...]
    reply: tuple[str, ...]
    ask: tuple[str, ...]
    answer: tuple[str, ...]
    slots: dict[str, str]


def person(rng: Random) -> str:
    """A name, now and then one that nobody has, so that it must be copied."""
    if rng.random() < 0.2:
        return "".join(rng.choice(_SYLLABLES) for _ in range(rng.choice((2, 2, 3)))).capitalize()
    return rng.choice(" ".join(read_lines("names")).split())


def exchange(rng: Random, between: Callable[[Random], list[str]]) -> list[str]:
    """Tell one or two facts, talk of something else (`between`), and ask for them."""
    facts = [rng.choice(_KINDS)(rng)]
    if rng.random() < 0.35:
        other = rng.choice(_KINDS)(rng)
        if other.ask != facts[0].ask:
            facts.append(other)
    turns: list[str] = []
    for fact in facts:
        turns += [ask(fact.tell, rng, **fact.slots), pick(fact.reply, rng, **fact.slots)]
    for _ in range(rng.choice((0, 0, 1, 1, 2))):
        turns += between(rng)[:2]
    for fact in rng.sample(facts, len(facts)):
        turns += [ask(fact.ask, rng, **fact.slots), pick(fact.answer, rng, **fact.slots)]
    return turns


def name(rng: Random) -> Fact:
    """The user's own name."""
    return Fact(
        (
            "My name is {v}.", "I am {v}.", "I'm {v}.", "(Hi|Hello|Hey)(!|,) (I'm|I am|my name is) {v}.",
            "You can call me {v}.", "(People|My friends) call me {v}.", "{v} is my name.",
            "(Hello|Hi), {v} here.", "By the way, my name is {v}.", "They call me {v}.",
            "(Nice to meet you|Good morning|Good evening). I'm {v}.", "I'm called {v}.",
        ),
        (
            "Nice to meet you, {v}!", "Hello, {v}!", "Hi {v}! (How can I help you|How are you)?",
            "Hello {v}, (nice to meet you|good to have you here).", "Pleased to meet you, {v}.",
            "{v}, what a nice name! (What can I do for you|What shall we talk about)?", "Welcome, {v}!",
        ),
        (
            "(What is|What's|Tell me|Do you know|Do you remember) my name?", "(Who am I|What am I called)?",
            "(Do you still know|Can you remember|Say) my name?", "What did I say my name (is|was)?",
            "What was my name( again|)?", "(How|What) do (people|they|my friends) call me?",
            "(Have you forgotten|Did you forget) my name?", "And what is my name?",
        ),
        ("Your name is {v}.", "Your name is {v}.", "You are {v}.", "You told me that your name is {v}.", "{v}!", "You're called {v}."),
        {"v": person(rng)},
    )


def favourite(rng: Random) -> Fact:
    """A favourite colour, food, animal, day or hobby."""
    what, values = rng.choice(
        (("colour", _COLOURS), ("food", _FOODS), ("animal", _ANIMALS), ("day", _DAYS), ("hobby", _HOBBIES))
    )
    return Fact(
        (
            "My favourite {w} is {v}.", "{v} is my favourite {w}.",
            "(I like many things, but|Of all,) my favourite {w} is {v}.", "The {w} I like best is {v}.",
        ),
        (
            "{V} is a good choice.", "Nice! (Why {v}|What do you like about it)?", "{V}, how nice!",
            "I will remember that: {v}.", "Good to know!", "{V}! I see.",
        ),
        (
            "(What is|What's|Do you remember|Tell me|Do you know) my favourite {w}?",
            "(Which|What) {w} do I like (best|most)?", "What did I say is my favourite {w}?",
        ),
        ("Your favourite {w} is {v}.", "It is {v}.", "{V} is your favourite {w}.", "You like {v} best."),
        {"w": what, "v": (value := rng.choice(values)), "V": value},
    )


def home(rng: Random) -> Fact:
    """Where the user lives."""
    return Fact(
        ("I live in {v}.", "I am from {v}.", "My home is in {v}.", "I come from {v}.", "I (moved|have moved) to {v}."),
        ("{v}! (How do you like it there|Is it nice there)?", "I hope {v} is a good place to live.", "How nice, {v}!", "Ah, {v}. (Tell me about it.|)"),
        ("Where (do I live|am I from|is my home)?", "(Which|What) (city|town|place) (do I live in|am I from)?", "(Do you remember|Do you know) where I live?"),
        ("You live in {v}.", "In {v}.", "You told me that you live in {v}."),
        {"v": rng.choice(_CITIES)},
    )


def pet(rng: Random) -> Fact:
    """A pet and its name."""
    return Fact(
        (
            "I have a {k} called {v}.", "My {k} is called {v}.", "I have a {k}. Its name is {v}.",
            "We (got|have) a {k}, and we call it {v}.", "My {k} {v} is (asleep|eating|playing|old|funny).",
        ),
        ("{v} is a lovely name for a {k}!", "How nice! How old is {v}?", "Say hello to {v} from me!", "A {k} called {v}, how sweet!"),
        (
            "(What is|What's|Do you remember|Tell me) (my {k}'s name|the name of my {k})?",
            "(What|How) is my {k} called?", "What do I call my {k}?", "What was my {k}'s name( again|)?",
        ),
        ("Your {k} is called {v}.", "{v}.", "Its name is {v}.", "Your {k}'s name is {v}."),
        {"k": rng.choice(_ANIMALS), "v": rng.choice(" ".join(read_lines("pets")).split())},
    )


def relative(rng: Random) -> Fact:
    """The name of a brother, a friend, a boss."""
    return Fact(
        ("My {k} is called {v}.", "My {k}'s name is {v}.", "I have a {k} called {v}.", "{v} is my {k}.", "I (met|visited|saw) my {k} {v} (today|yesterday)."),
        ("{v} is a nice name.", "Tell me about {v}!", "Do you see {v} often?", "Say hello to {v}!"),
        ("(What is|What's|Do you remember|Tell me) (my {k}'s name|the name of my {k})?", "(What|How) is my {k} called?", "Who is my {k}?"),
        ("Your {k} is called {v}.", "Your {k}'s name is {v}.", "{v}.", "{v} is your {k}."),
        {"k": rng.choice(_RELATIVES), "v": person(rng)},
    )


def number(rng: Random) -> Fact:
    """An age, or how many there are of something."""
    if rng.random() < 0.5:
        return Fact(
            ("I am {v} years old.", "I'm {v}.", "My age is {v}.", "I turned {v} (last week|this year|yesterday)."),
            ("{v} is a fine age!", "Thank you for telling me.", "{v}! I don't count years myself."),
            ("How old am I?", "(What is|Do you remember|Tell me) my age?", "(How many years|What age) did I say (I am|I was)?"),
            ("You are {v} years old.", "You are {v}.", "{v}, as you told me."),
            {"v": str(rng.randint(6, 90))},
        )
    thing = rng.choice(("books", "plants", "cousins", "cups", "bicycles", "hens", "cats", "hats", "lamps", "chairs"))
    return Fact(
        ("I have {v} {t}.", "I own {v} {t}.", "There are {v} {t} in my (house|room|flat)."),
        ("{v} {t}, that is quite something!", "How nice! Do you want more of them?", "{v} {t}! Tell me more."),
        ("How many {t} do I have?", "(Do you remember|Tell me) how many {t} I have?", "How many {t} did I say I have?"),
        ("You have {v} {t}.", "{v} {t}.", "You told me that you have {v} {t}."),
        {"v": str(rng.randint(2, 40)), "t": thing},
    )


def work(rng: Random) -> Fact:
    """The user's job."""
    job = rng.choice(_JOBS)
    return Fact(
        ("I am {a}.", "I work as {a}.", "My job is {a}.", "I'm {a} by trade."),
        ("That is a good job. Do you like it?", "{A}! What does your day look like?", "How interesting! Since when?"),
        ("What is my (job|work|trade)?", "(What do I do|What am I) (for work|for a living|by trade)?", "(Do you remember|Tell me) what I (do|work as)?"),
        ("You are {a}.", "You work as {a}.", "You told me that you are {a}."),
        {"a": with_article(job), "A": with_article(job)},
    )


def word(rng: Random) -> Fact:
    """A word or number to keep."""
    value = rng.choice(_WORDS) if rng.random() < 0.6 else str(rng.randint(10, 9999))
    what = "number" if value.isdigit() else "word"
    return Fact(
        ("(Remember|Please remember|Keep in mind|Note|Don't forget) the {w} {v}.", "The (secret |){w} is {v}.", "My {w} is {v}. (Remember it.|Keep it.|)"),
        ("I'll remember: {v}.", "{v}. All right!", "Got it, {v}.", "OK, the {w} is {v}."),
        ("(What is|What was|Tell me|Say|Do you remember) the (secret |){w}?", "(Which|What) {w} (should you|did I tell you to) remember?", "And the {w} was?"),
        ("The {w} is {v}.", "{v}.", "It is {v}."),
        {"w": what, "v": value},
    )


def place(rng: Random) -> Fact:
    """Where something was put."""
    spot = rng.choice(_PLACES)
    thing = rng.choice(("keys", "glasses", "phone", "letter", "umbrella", "ticket", "gloves", "wallet"))
    are = "are" if thing.endswith("s") else "is"
    return Fact(
        ("My {t} {are} {p}.", "I (put|left) my {t} {p}.", "(Remember|Note): my {t} {are} {p}."),
        ("I'll remember that.", "Good, then you will find {it}.", "{P}, I see."),
        ("Where {are} my {t}?", "Where did I (put|leave) my {t}?", "(Do you remember|Can you tell me) where my {t} {are}?"),
        ("Your {t} {are} {p2}.", "You said that your {t} {are} {p2}.", "{P2}."),
        {"t": thing, "are": are, "it": "them" if are == "are" else "it", "p": spot, "P": spot.replace("my", "your"),
         "p2": spot.replace("my", "your"), "P2": spot.replace("my", "your")},
    )


def thing(rng: Random) -> Fact:
    """What the user bought, lost or wants."""
    value = rng.choice(_THINGS)
    did, ask_, answer = rng.choice(
        (
            ("bought", "(What did I buy|What have I bought)", "You bought"),
            ("lost", "(What did I lose|What have I lost)", "You lost"),
            ("found", "(What did I find|What have I found)", "You found"),
            ("sold", "(What did I sell|What have I sold)", "You sold"),
        )
    )
    colour = rng.choice(_COLOURS)
    whole = with_article(f"{colour} {value}" if rng.random() < 0.6 else value)
    return Fact(
        (f"I {did} {{v}} (today|yesterday|last week|this morning).", f"(Today|Yesterday|This morning) I {did} {{v}}."),
        ("{V}! (How did that happen|Tell me more).", "Oh! Was it a special one?", "Really? {V}?"),
        (f"{ask_}?", f"(Do you remember|Tell me) what I {did}?"),
        (f"{answer} {{v}}.", "{V}.", f"You told me that you {did} {{v}}."),
        {"v": whole, "V": whole},
    )


def plan(rng: Random) -> Fact:
    """A plan for a day."""
    what = rng.choice(("visit my aunt", "clean the house", "go swimming", "bake a cake", "see the doctor", "play chess", "buy new shoes", "cook for friends", "paint the door", "take a train to the sea"))
    day = rng.choice(_DAYS)
    yours = what.replace("my", "your")
    return Fact(
        ("On {d} I (will|want to|am going to) {v}.", "I (will|want to|am going to) {v} on {d}."),
        ("That sounds good! I hope {d} goes well.", "Nice plan for {d}!", "{d}, then. Enjoy it!"),
        ("What (will I do|am I going to do|are my plans|is my plan) (on|for) {d}?", "(Do you remember|Tell me) my plan for {d}?", "When (will|do) I (want to |){v}?"),
        ("On {d} you want to {y}.", "You want to {y} on {d}.", "Your plan for {d}: {y}."),
        {"v": what, "y": yours, "d": day},
    )


def unknown(rng: Random) -> list[str]:
    """Asked for what was never told."""
    fact = rng.choice(_KINDS)(rng)
    slots = {key: value for key, value in fact.slots.items()}
    answers = (
        "I don't know. You have not told me( that|).", "You haven't told me yet.",
        "I don't know that. (Will you tell me|Do you want to tell me)?", "I can't know that: you did not say it in this chat.",
    )
    return [ask(fact.ask, rng, **slots), pick(answers, rng)]


def corrected(rng: Random) -> list[str]:
    """A name that the user puts right."""
    first, second = person(rng), person(rng)
    fact = name(rng)
    fix = ("(No|Sorry|Oh), (actually |)(my name|it) is {v}.", "Call me {v} instead.", "I meant {v}, not {u}.", "From now on I'm {v}.")
    replies = ("All right, {v}!", "Sorry, {v}!", "Then I'll call you {v}.", "Hello, {v}!")
    return [
        ask(fact.tell, rng, v=first), pick(fact.reply, rng, v=first),
        ask(fix, rng, v=second, u=first), pick(replies, rng, v=second),
        ask(fact.ask, rng), pick(fact.answer, rng, v=second),
    ]


def mine_and_yours(rng: Random) -> list[str]:
    """The user's name and the model's in one chat, so that they are not mixed up."""
    fact = name(rng)
    value = fact.slots["v"]
    own = [rough(pick(("What is your name?", "And yours?", "And what is your name?", "And who are you?"), rng), rng), pick(("My name is Tern.", "I'm Tern.", "I am Tern."), rng)]
    told = [ask(fact.tell, rng, v=value), pick(fact.reply, rng, v=value)]
    asked = [ask(fact.ask, rng), pick(fact.answer, rng, v=value)]
    return [*told, *own, *asked] if rng.random() < 0.6 else [*told, *asked, *own]


_KINDS: tuple[Callable[[Random], Fact], ...] = (
    name, name, name, name, favourite, favourite, home, pet, relative, number, work, word, place,
    thing, plan,
)
