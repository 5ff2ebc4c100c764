"""Texts that no text can hold, and JSON that is damaged in one place."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overround.texts import REPLACEMENT, clean_json, plain_text, repaired_json


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (rb'"a\ud83db"', f"a{REPLACEMENT}b"),
        (rb'"\ude00\ud83d"', REPLACEMENT * 2),
        (rb'"\ud83d\u0041"', f"{REPLACEMENT}A"),
        (rb'"\uD83D\uDE00"', "\U0001f600"),
        (rb'"\u0000"', REPLACEMENT),
        (rb'"\\ud83d \\u0000"', r"\ud83d \u0000"),
        (rb'"\\\ud83d"', "\\" + REPLACEMENT),
        (rb'"\u00e9"', "\u00e9"),
    ],
)
def test_a_bad_character_costs_itself(written: bytes, read: str) -> None:
    """Half a pair and NUL become U+FFFD; whole pairs, other escapes and escaped backslashes stay."""
    assert json.loads(clean_json(written).body) == read


@given(st.lists(st.sampled_from([r"\ud83d", r"\ude00", r"\u0000", r"\\", r"\n", "a", "\u00e9", r"\u0041"])))
def test_a_cleaned_text_can_always_be_stored(parts: list[str]) -> None:
    """Whatever escapes follow each other, the text is UTF-8 without NUL, and what was replaced is counted."""
    cleaned = clean_json(f'"{"".join(parts)}"'.encode())
    text = json.loads(cleaned.body)
    assert "\0" not in text
    assert text.encode().decode() == text
    assert cleaned.replaced == text.count(REPLACEMENT)


@pytest.mark.parametrize(
    "number", ["NaN", "-NaN", "nan", "nan(snan)", "Infinity", "-Infinity", "+Infinity", "inf", "-inf"]
)
def test_numbers_that_are_none_are_null(number: str) -> None:
    """As Python, JavaScript, C and Java write them; the same word in a text stays."""
    body = f'{{"a":{number},"b":"{number} \\" {number}","c":[{number},1]}}'.encode()
    assert json.loads(repaired_json(body)) == {"a": None, "b": f'{number} " {number}', "c": [None, 1]}


def test_bytes_that_are_no_text_cost_themselves() -> None:
    """Bad UTF-8 becomes U+FFFD, raw control characters become spaces, UTF-16 is read, a cut body stays cut."""
    assert json.loads(repaired_json(b'{"a":"x\xffy"}')) == {"a": f"x{REPLACEMENT}y"}
    assert json.loads(repaired_json(b'{"a":"x\x00y\nz"}')) == {"a": "x y z"}
    for encoding in ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"):
        mark = "\ufeff".encode(encoding)
        assert json.loads(repaired_json(mark + '{"a":"\u00e9"}'.encode(encoding))) == {"a": "\u00e9"}
    assert repaired_json(b'{"a":[1') == b'{"a":[1'


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_a_repair_changes_nothing_that_is_right(value: object) -> None:
    """Sound JSON says after a repair what it said before, save control characters and lone surrogates."""
    body = json.dumps(value).encode()
    kept = json.loads(body)
    if clean_json(body).replaced == 0:
        assert json.loads(repaired_json(body)) == kept


def test_a_text_is_bounded_and_never_null() -> None:
    """Null is "", white space goes, NUL and half surrogates become U+FFFD, and a megabyte is cut."""
    assert plain_text(None) == ""
    assert plain_text("  Brighton \n") == "Brighton"
    assert plain_text("a\0b\ud83d") == f"a{REPLACEMENT}b{REPLACEMENT}"
    assert plain_text("x" * 1_000_000, 50) == "x" * 50
