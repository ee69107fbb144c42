"""Open questions, and honest answers that the model does not know.

It knows the wordings of unknown.txt and, where a corpus has them, the requests of a file of
phrasings (clinc) that no small offline model can carry out; it does not know any answer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from random import Random

from edge_sdk.training.generators.phrasing import pick, rough
from edge_sdk.training.generators.tables import read_sections

_SLOT = re.compile(r"\{(\w+)\}")
REQUESTS = {
    "answers_action": (
        "alarm",
        "timer",
        "reminder",
        "make_call",
        "text",
        "play_music",
        "book_flight",
        "uber",
        "book_hotel",
        "smart_home",
        "order",
        "shopping_list_update",
        "todo_list_update",
        "calendar_update",
        "schedule_meeting",
        "transfer",
        "pay_bill",
        "change_volume",
        "next_song",
        "update_playlist",
        "restaurant_reservation",
        "find_phone",
        "sync_device",
        "cancel_reservation",
        "report_lost_card",
        "freeze_account",
        "pto_request",
        "order_checks",
        "share_location",
        "whisper_mode",
        "change_speed",
        "change_accent",
        "reset_settings",
    ),
    "answers_personal": (
        "balance",
        "bill_balance",
        "calendar",
        "shopping_list",
        "todo_list",
        "payday",
        "pto_used",
        "pto_balance",
        "credit_score",
        "transactions",
        "last_maintenance",
        "order_status",
        "meeting_schedule",
        "bill_due",
        "income",
        "rewards_balance",
        "user_name",
    ),
    "answers_news": (
        "weather",
        "traffic",
        "flight_status",
        "exchange_rate",
        "restaurant_reviews",
        "gas",
        "how_busy",
        "current_location",
        "time",
        "date",
        "interest_rate",
    ),
    "answers": (
        "nutrition_info",
        "calories",
        "ingredient_substitution",
        "tire_pressure",
        "mpg",
        "plug_type",
        "international_visa",
        "vaccines",
        "distance",
        "timezone",
        "travel_alert",
        "taxes",
        "apr",
        "oil_change_how",
        "jump_start",
        "rollover_401k",
        "what_song",
        "directions",
        "restaurant_suggestion",
        "travel_suggestion",
        "improve_credit_score",
        "international_fees",
    ),
}
"""Intents of the phrasings, by the section that answers them."""


def exchange(rng: Random, phrasings: Mapping[str, Sequence[str]]) -> list[str]:
    """A question and an honest limit; `phrasings`: intent to utterances, perhaps none."""
    if phrasings and rng.random() < 0.35:
        return _request(rng, phrasings)
    sections = read_sections("unknown")
    section = sections[rng.choice([title for title in sections if "?" in sections[title]])]
    slots = {
        "big": str(rng.randint(130, 9999)),
        "big2": str(rng.randint(13, 999)),
        "big3": str(rng.randint(13, 999)),
        "pct": str(rng.randint(13, 99)),
    }
    for line in section.get("+", ()):
        slot, _, words = line.partition(" ")
        slots[slot] = rng.choice(words.split("|"))
    question = pick(section["?"], rng, **slots)
    named = {slot: word for slot, word in slots.items() if word in question}
    return [rough(question, rng, kept=tuple(named.values())), _answer(rng, section, named)]


def _answer(rng: Random, section: Mapping[str, Sequence[str]], named: Mapping[str, str]) -> str:
    """An answer that names what was asked for, one of this kind alone, or a general one."""
    chance = rng.random()
    fitting = [line for line in section.get("e", ()) if set(_SLOT.findall(line)) <= set(named)]
    if fitting and chance < 0.45:
        return pick(fitting, rng, **named)
    if "!" in section and chance < 0.8:
        return pick(section["!"], rng)
    return answer(rng, section.get(">", ("answers",))[0])


def answer(rng: Random, section: str = "answers") -> str:
    """One honest limit."""
    return pick(read_sections("unknown")[section]["!"], rng)


def _request(rng: Random, phrasings: Mapping[str, Sequence[str]]) -> list[str]:
    section = rng.choice(list(REQUESTS))
    known = [intent for intent in REQUESTS[section] if intent in phrasings]
    if not known:
        return exchange(rng, {})
    said = rng.choice(phrasings[rng.choice(known)])
    if rng.random() < 0.5:
        said = said[:1].upper() + said[1:] + ("?" if rng.random() < 0.4 else "")
    return [rough(said, rng), answer(rng, section)]
