"""The input of a tool call from its text; broken texts in detail in tests/vectors/fold.json."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from providers.tool_input import parse_input, whole_part
from tests.providers.generated import generated

clean_text = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=5)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | clean_text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(clean_text, inner, max_size=3),
    max_leaves=8,
)
inputs = st.dictionaries(clean_text, values, max_size=4)


@generated
@given(inputs, st.booleans())
def test_a_whole_object_is_read_as_it_is(value: dict[str, Any], ascii_only: bool) -> None:
    assert parse_input(json.dumps(value, ensure_ascii=ascii_only)) == (value, True)


@generated
@given(inputs)
def test_of_a_cut_object_only_what_it_said_is_kept(value: dict[str, Any]) -> None:
    text = json.dumps(value)
    for cut in range(1, len(text)):
        kept, whole = parse_input(text[:cut])
        assert not whole
        assert is_part(kept, value)


def is_part(part: Any, whole: Any) -> bool:
    if isinstance(part, dict) and isinstance(whole, dict):
        return all(key in whole and is_part(item, whole[key]) for key, item in part.items())
    if isinstance(part, list) and isinstance(whole, list):
        return len(part) <= len(whole) and all(map(is_part, part, whole))
    return bool(part == whole)


@generated
@given(st.text('{}[]",:0123e+-.truefalsn \\u', max_size=30))
def test_any_text_gives_an_object(text: str) -> None:
    value, whole = parse_input(text)
    assert isinstance(value, dict)
    if whole and text.strip():
        assert json.loads(text) == value


def test_a_long_cut_text_is_read_in_linear_time() -> None:
    text = '{"list": [' + "1, " * 200_000
    assert len(parse_input(text)[0]["list"]) == 200_000
    assert whole_part("[" * 200_000) == "[" * 200_000 + "]" * 200_000
