"""Any JSON is read or refused by name; nothing else comes out."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_sdk.server.request import BadRequest, ChatRequest, parse

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
FIELDS = [
    *("model", "messages", "stream", "stream_options", "stop", "max_tokens", "temperature"),
    *("top_k", "top_p", "seed", "n", "tools", "min_p", "logit_bias", "response_format"),
    "max_completion_tokens",
]
MESSAGES = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "role": st.sampled_from(["user", "assistant", "system", "tool"]) | JSON,
            "content": st.text(max_size=4) | JSON,
        },
    ),
    max_size=5,
)


@given(
    st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=6),
    st.none() | MESSAGES,
    st.booleans(),
)
def test_any_body(body: dict[str, Any], messages: Any, named: bool) -> None:
    if messages is not None:
        body["messages"] = messages
    if named:
        body["model"] = "m"
    try:
        request = parse(body)
    except BadRequest as refused:
        assert refused.param
        assert refused.message.endswith(".")
    else:
        assert isinstance(request, ChatRequest)
        assert all(isinstance(text, str) for pair in request.past for text in pair)


def test_messages_of_one_role_in_a_row_count_as_one() -> None:
    def said(role: str, text: str) -> dict[str, str]:
        return {"role": role, "content": text}

    messages = [
        said("system", "s"),
        said("developer", "d"),
        said("user", "a"),
        said("user", "b"),
        said("assistant", "c"),
        said("user", "e"),
    ]
    request = parse({"model": "m", "messages": messages})
    assert (request.system, request.past, request.question) == ("s\n\nd", (("a\n\nb", "c"),), "e")


@pytest.mark.parametrize(
    ("messages", "words"),
    [
        ([], "1 to"),
        ([{"role": "user", "content": "a"}, {"role": "system", "content": "b"}], "before all"),
        ([{"role": "user", "content": [{"type": "image_url"}]}], "only parts of type 'text'"),
        ([{"role": "tool", "content": "a"}], "not supported"),
        ([{"role": "user", "content": None}], "must be text"),
        ([{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}], "last message"),
        (["a"], "must be an object"),
    ],
)
def test_messages_that_make_no_sense(messages: list[Any], words: str) -> None:
    with pytest.raises(BadRequest, match=words):
        parse({"model": "m", "messages": messages})
