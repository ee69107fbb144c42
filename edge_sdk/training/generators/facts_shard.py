"""What a corpus' facts shard adds: countries, and ways in which people phrase requests.

It knows the shard's two kinds of record (country, clinc); it does not know how they are asked for.
"""

from __future__ import annotations

import json
import lzma
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from edge_sdk.errors import Rejected
from edge_sdk.training.generators.countries import Country

NAME = "facts.jsonl.xz"
_PLAIN = re.compile(r"[A-Z][A-Za-z' -]{2,30}")
# Gone, renamed or no country; or a capital that is out of date or cut short in the data.
_SKIPPED = re.compile(
    r"Antilles|Yugoslavia|East Timor|Myanmar|Burma|Burundi|Vatican|Palestine|Swaziland|Congo|"
    r"Island|Territor|Minor|Guam|Reunion|Mayotte|Samoa|Libyan|Federation|Ireland|England|Scotland|Wales|"
    r"Sri Lanka|Benin|Bolivia|Fiji|Holy|Jan Mayen|Svalbard|Sahara|Hong Kong|Gibraltar|Tokelau|"
    r"New Caledonia|Palau|Montserrat|Kiribati|Macao|Nauru|Pitcairn"
)


@dataclass(frozen=True)
class Facts:
    """Countries (name, capital, continent) and utterances by intent; both may be empty."""

    countries: tuple[Country, ...] = ()
    phrasings: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def read_facts(folder: Path) -> Facts:
    """Read `folder`/facts.jsonl.xz, or nothing where it is absent; raises Rejected."""
    path = folder / NAME
    if not path.is_file():
        return Facts()
    countries, phrasings = [], dict[str, list[str]]()
    try:
        for line in lzma.decompress(path.read_bytes()).decode("utf-8").splitlines():
            record = json.loads(line)
            if record["src"] == "country":
                facts = json.loads(record["text"])
                found = _country(record["country"], facts.get("city"), facts.get("continent"))
                countries += [found] if found else []
            elif record["src"] == "clinc":
                phrasings.setdefault(record["intent"], []).append(record["text"])
    except (lzma.LZMAError, EOFError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise Rejected(
            f"the shard {NAME} cannot be read ({type(error).__name__}: {error}).",
            hint="copy the file again; it may have been cut short.",
        ) from error
    return Facts(tuple(countries), {intent: tuple(said) for intent, said in phrasings.items()})


def _country(name: object, capital: object, continent: object) -> Country | None:
    """The country if its name and capital are plain and whole, else None."""
    texts = [text for text in (name, capital, continent) if isinstance(text, str)]
    if len(texts) < 3 or not all(_PLAIN.fullmatch(text) for text in texts[:2]):
        return None
    return None if _SKIPPED.search(texts[0]) else Country(*texts)
