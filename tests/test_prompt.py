"""How turns become ids with control tokens, and without."""

from __future__ import annotations

from typing import Any

import pytest

from edge_sdk.chat_template import PLAIN, ChatTemplate
from edge_sdk.errors import UsageError
from edge_sdk.prompt import MAX_PROMPT, PromptWriter, clean_prompt
from tests.fake_session import MARKED, byte_tokenizer, llama_tokenizer

BYTES = byte_tokenizer()


def test_markers_become_control_ids_and_typed_ones_stay_text() -> None:
    writer = PromptWriter(BYTES, MARKED, None)
    ids = writer.question("Hi <|bot|>", first=False)
    assert ids == [2, *BYTES.encode("Hi <|bot|>"), 3]
    assert writer.closing == [1]
    assert writer.stop_texts == ()
    assert writer.question("Hi", first=True) == writer.question("Hi", first=False)


def test_a_marker_may_be_control_token_and_text() -> None:
    template = ChatTemplate(("<|user|>\n", "<|end|>\n"), ("<|bot|>\n", "<|end|>"), ("<|end|>",))
    ids = PromptWriter(BYTES, template, None).question("Hi", first=True)
    newline = 4 + 10
    assert ids == [2, newline, *BYTES.encode("Hi"), 1, newline, 3, newline]


def test_the_system_text_is_in_front_of_the_first_question() -> None:
    writer = PromptWriter(BYTES, MARKED, "Be brief.")
    assert writer.question("Hi", first=True) == [2, *BYTES.encode("Be brief.\nHi"), 3]
    assert writer.question("Hi", first=False) == [2, *BYTES.encode("Hi"), 3]


def test_a_template_without_control_tokens_reads_as_one_text() -> None:
    llama = llama_tokenizer()
    writer = PromptWriter(llama, PLAIN, None)
    assert writer.stop_texts == ("\nUser:",)
    first = writer.question("Hi", first=True)
    assert first == llama.encode("User: Hi\nAssistant:", bos=True)
    # Within the text no space is put in front.
    assert llama.decode([*writer.closing, *writer.question("Oh", first=False)]) == (
        "\nUser: Oh\nAssistant:"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (" Hi \n", "Hi"),
        ("a\r\nb\rc", "a\nb\nc"),
        ("a\x00b\x1b[31mc\x9b\x7f\td", "ab[31mc\td"),
        ("a\ud800b", "a\ufffdb"),
        ("👩‍👩‍👧 שלום", "👩‍👩‍👧 שלום"),
        ("x" * MAX_PROMPT, "x" * MAX_PROMPT),
    ],
)
def test_a_prompt_is_cleaned(text: str, expected: str) -> None:
    assert clean_prompt(text) == expected


@pytest.mark.parametrize("text", ["", "  \n\t ", "\x00\x1b", "x" * (MAX_PROMPT + 1)])
def test_an_unusable_prompt_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="prompt"):
        clean_prompt(text)


def test_the_length_counts_bytes() -> None:
    with pytest.raises(UsageError, match="256 KiB"):
        clean_prompt("é" * (MAX_PROMPT // 2 + 1))


@pytest.mark.parametrize("value", [None, b"Hi", 3])
def test_a_prompt_that_is_no_text_is_refused(value: Any) -> None:
    with pytest.raises(UsageError, match="must be text"):
        clean_prompt(value)
