"""Copies what the engine's objects say into plain values, which never change under the screen.

It knows chats, trees and events; it does not know threads or widgets.
"""

from __future__ import annotations

from edge_sdk.app.events import Figures, ModelFacts, Shown, TurnView
from edge_sdk.chat_stats import ChatStats
from edge_sdk.history.tree import Node, Tree
from edge_sdk.model_file import Model


def figures_of(stats: ChatStats) -> Figures:
    """The figures of an answer as they are now."""
    return Figures(
        prompt_tokens=stats.prompt_tokens + stats.kept_tokens,
        answer_tokens=stats.answer_tokens,
        prefill_seconds=stats.prefill_seconds,
        decode_seconds=stats.decode_seconds,
        first_token_seconds=stats.first_token_seconds,
        tokens_per_second=stats.tokens_per_second,
        prefill_per_second=stats.prefill_tokens_per_second,
        context_used=stats.context_used,
        context_limit=stats.context_limit,
        context_trimmed=stats.context_trimmed,
        energy=stats.energy,
        joules_per_token=stats.joules_per_token,
    )


def facts_of(model: Model) -> ModelFacts:
    """What the panel says about a model."""
    shape = model.config
    state_bytes = shape.num_layers * shape.hidden_size * 4
    return ModelFacts(model.name, model.file_size, state_bytes, shape.parameters)


def view_of(tree: Tree, node: Node) -> TurnView:
    """A turn, and its place among those at the same place."""
    turn, siblings = node.turn, tree.siblings(node)
    return TurnView(
        turn.user,
        turn.assistant,
        figures_of(turn.stats),
        turn.stop_reason == "cancelled",
        siblings.index(node),
        len(siblings),
    )


def shown(tree: Tree, title: str, stats: ChatStats | None, draft: str | None = None) -> Shown:
    """The whole conversation, from its first turn to the head."""
    turns = tuple(view_of(tree, node) for node in tree.path)
    return Shown(turns, figures_of(stats) if stats is not None else None, title, draft)
