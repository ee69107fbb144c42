"""A tiny grammar of wordings.

It knows alternatives, slots and articles; it does not know what is said.

    (Hi|Hello)( there|), {name}!     one of each bracket is taken, then the slots are filled
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from random import Random

_INNERMOST = re.compile(r"\(([^()]*)\)")
_BEFORE_MARK = re.compile(r" +([.?!,])")
_SPACES = re.compile(r" {2,}")


def expand(template: str, rng: Random, **slots: str) -> str:
    """One sentence of `template`: brackets chosen from the inside out, then `{slot}`s filled."""
    while match := _INNERMOST.search(template):
        chosen = rng.choice(match[1].split("|"))
        template = template[: match.start()] + chosen + template[match.end() :]
    text = (template.format_map(slots) if slots else template).strip()
    # A last alternative that is empty leaves a space behind.
    text = _SPACES.sub(" ", _BEFORE_MARK.sub(r"\1", text))
    return text[:1].upper() + text[1:]


def pick(templates: Sequence[str], rng: Random, **slots: str) -> str:
    """`expand` of one of `templates`."""
    return expand(rng.choice(templates), rng, **slots)


def lower_first(text: str) -> str:
    """`text` to follow other words: its first letter small, unless it is the word I."""
    return text if re.match(r"I\b", text) else text[:1].lower() + text[1:]


def with_article(noun: str) -> str:
    """ "owl" -> "an owl"."""
    return f"{'an' if noun[:1].lower() in 'aeiou' else 'a'} {noun}"


def listed(words: Sequence[str], last: str = "and") -> str:
    """ "a", "a and b", "a, b and c"."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {last} {words[-1]}"
