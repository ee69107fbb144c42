"""A conversation as a file that other programs read: Markdown or JSON.

It knows how turns are written down; it does not know where the file goes.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence

from edge_sdk.history.record import stats_to_json
from edge_sdk.history.tree import Node


def to_markdown(title: str, path: Sequence[Node]) -> str:
    """Questions as quotes, answers as they are, and under each what wrote it."""
    parts = [f"# {title}"]
    for node in path:
        turn = node.turn
        parts += ["> " + turn.user.replace("\n", "\n> "), turn.assistant.strip()]
        facts = [f"{node.model} on {node.device}" if node.model else ""]
        if turn.stats.tokens_per_second:
            facts.append(f"{turn.stats.tokens_per_second:.3g} tok/s")
        energy = turn.stats.joules_per_token
        if energy.value is not None:
            sign, word = energy.provenance.sign, energy.provenance.value
            facts.append(f"{sign}{energy.value:.3g} J/token ({word}, {energy.source})")
        parts.append(f"*{' · '.join(filter(None, facts))}*" if any(facts) else "")
    return "\n\n".join(filter(None, parts)) + "\n"


def to_json(title: str, path: Sequence[Node]) -> str:
    """`messages` as OpenAI-type programs take them, and `turns` with all figures."""
    turns = [
        {
            "question": node.turn.user,
            "answer": node.turn.assistant,
            "model": node.model,
            "device": node.device,
            "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(node.created)),
            "stats": json.loads(stats_to_json(node.turn.stats)),
        }
        for node in path
    ]
    messages = [
        message
        for node in path
        for message in (
            {"role": "user", "content": node.turn.user},
            {"role": "assistant", "content": node.turn.assistant},
        )
    ]
    value = {"title": title, "messages": messages, "turns": turns}
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
