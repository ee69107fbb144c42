"""Open questions, and honest answers that the model does not know.

It knows the wordings of unknown.txt and, where a corpus has them, the requests of a file of
phrasings (clinc) that no small offline model can carry out; it does not know any answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random

from edge_sdk.training.generators.phrasing import ask, pick, rough
from edge_sdk.training.generators.tables import read_sections

ANSWER_KINDS = {
    "personal": "answers_personal",
    "rare_word": "answers_rare_word",
    "future": "answers_future",
    "news": "answers_news",
    "medicine": "answers_medicine",
    "law": "answers_law",
    "action": "answers_action",
    "long_task": "answers_long_task",
    "code": "answers_code",
}
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
    kind = rng.choice([title for title in sections if not title.startswith("answers")])
    section = sections[kind]
    slots = {"big": str(rng.randint(130, 9999)), "big2": str(rng.randint(13, 999))}
    for line in section.get("+", ()):
        slot, _, words = line.partition(" ")
        slots[slot] = rng.choice(words.split("|"))
    return [ask(section["?"], rng, **slots), answer(rng, ANSWER_KINDS.get(kind, "answers"))]


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
