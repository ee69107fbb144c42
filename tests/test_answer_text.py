"""What may be shown of an answer, and when."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from edge_sdk.answer_text import AnswerText
from tests.fake_session import byte_tokenizer

TOKENIZER = byte_tokenizer(merges=[("e", "r"), ("er", ":"), ("Ċ", "U"), ("!", "Ċ")])


def collector(*stops: str) -> AnswerText:
    return AnswerText(TOKENIZER.decoder(), stops)


def fed(answer: AnswerText, text: str) -> list[str]:
    return [answer.feed(token) for token in TOKENIZER.encode(text)]


def test_a_beginning_of_a_stop_text_waits() -> None:
    answer = collector("\nUser:")
    assert "".join(fed(answer, "Hi\nUs")) == "Hi"
    assert "".join(fed(answer, "ual")) == "\nUsual"
    assert answer.finish() == ""


def test_what_waits_is_shown_at_the_end() -> None:
    answer = collector("\nUser:", "END")
    assert "".join(fed(answer, "Hi\nUs")) == "Hi"
    assert answer.finish() == "\nUs"
    assert answer.text == "Hi\nUs"
    assert not answer.stopped
    assert answer.finish() == ""


def test_a_stop_text_is_cut_with_all_that_follows() -> None:
    answer = collector("\nUser:")
    assert "".join(fed(answer, "Hi!\nUser: and more")) == "Hi!"
    assert answer.stopped
    assert answer.text == "Hi!"
    assert answer.finish() == ""


def test_the_tokens_before_a_stop_text_are_found() -> None:
    """The piece "!\\n" lies across the border: its "!" has to be encoded anew."""
    answer = collector("\nUser:")
    across = TOKENIZER.vocab_size - 1
    assert TOKENIZER.token_bytes(across) == b"!\n"
    tokens = [*TOKENIZER.encode("Hi"), across, *TOKENIZER.encode("User:")]
    for token in tokens:
        answer.feed(token)
    count, rest = answer.before_stop()
    assert TOKENIZER.decode(tokens[:count]) + rest == "Hi!"
    assert rest == "!"


def test_tokens_up_to_a_stop_text_are_kept_as_they_are() -> None:
    """Even where encoding their text would give others: "er" is one piece, not two."""
    answer = collector("END")
    apart = [TOKENIZER.encode("e")[0], TOKENIZER.encode("r")[0]]
    for token in [*apart, *TOKENIZER.encode("END")]:
        answer.feed(token)
    assert TOKENIZER.encode("er") != apart
    assert answer.before_stop() == (2, "")


def test_the_first_of_two_stop_texts_counts() -> None:
    answer = collector("bc", "abcd")
    assert "".join(fed(answer, "xabcd")) == "xa"
    assert answer.stopped


def test_a_cut_character_is_marked_at_the_end() -> None:
    answer = collector()
    assert [answer.feed(token) for token in TOKENIZER.encode("🐦")[:3]] == ["", "", ""]
    assert answer.finish() == "\ufffd"


@given(
    text=st.text(alphabet="aab\n U:é🐦", max_size=30),
    stops=st.lists(st.text(alphabet="ab\nU:é", min_size=1, max_size=4), max_size=3),
)
@settings(max_examples=150, deadline=None)
def test_pieces_join_to_the_text_before_the_first_stop(text: str, stops: list[str]) -> None:
    # One byte a token: of two stop texts in one token, the earlier would count.
    tokenizer = byte_tokenizer()
    answer = AnswerText(tokenizer.decoder(), stops)
    shown = ""
    for token in tokenizer.encode(text):
        shown += answer.feed(token)
        # Nothing shown is ever taken back, and no stop text is ever begun.
        assert not any(stop in shown for stop in stops)
        if answer.stopped:
            break
    shown += answer.finish()
    # The first stop text to be complete ends the answer.
    ends = [text.find(stop) + len(stop) for stop in stops if stop in text]
    whole = text[: min(ends)] if ends else text
    cut = [whole.find(stop) for stop in stops if stop in whole]
    assert shown == answer.text == (whole[: min(cut)] if cut else whole)
