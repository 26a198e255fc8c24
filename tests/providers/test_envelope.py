"""Reasoning in an envelope: back to whom it came from, to nobody else, and junk is nothing."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.envelope import PREFIX, Origin, open_envelope, seal
from tests.providers.generated import generated

ITEM = {"type": "reasoning", "id": "rs_1", "encrypted_content": "ü\ud83d\0", "summary": []}


def test_what_was_sealed_comes_back_exactly() -> None:
    signature = seal("openai", "org-1", "gpt", ITEM)
    assert signature.startswith("parley1.")
    assert signature.isascii()
    assert open_envelope(signature, "openai", "org-1") == ITEM


@pytest.mark.parametrize(("provider", "account"), [("azure", "org-1"), ("openai", "org-2"), ("openai", "")])
def test_nobody_else_gets_it(provider: str, account: str) -> None:
    assert open_envelope(seal("openai", "org-1", "gpt", ITEM), provider, account) is None


def made_of(value: object) -> str:
    return PREFIX + base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


JUNK = [
    None,
    7,
    "",
    PREFIX,
    PREFIX + "no base64!",
    PREFIX + "ü",
    PREFIX + "a",
    "EuYBCkQYBg==",
    made_of([]),
    made_of({"provider": "openai", "account": ""}),
    made_of({"provider": "openai", "account": "", "item": "text"}),
    PREFIX + base64.urlsafe_b64encode(b"[" * 100_000).decode(),
    PREFIX + base64.urlsafe_b64encode(b"\xff{}").decode(),
]


@pytest.mark.parametrize("signature", JUNK)
def test_junk_is_nothing(signature: object) -> None:
    assert open_envelope(signature, "openai", "") is None


@generated
@given(st.text(), st.text())
def test_no_text_is_too_odd(tail: str, cut: str) -> None:
    assert open_envelope(PREFIX + tail, "openai", "") is None
    assert open_envelope(seal(tail, cut, tail, {"text": cut}), tail, cut) == {"text": cut}


def test_an_account_may_have_had_another_name() -> None:
    before = Origin(provider="openai", account="key:1")
    now = Origin(provider="openai", account="org-1", also="key:1")
    block = {"type": "web_search_call", "id": "ws_1"}
    assert now.open(before.seal(ITEM)) == ITEM
    assert now.unmarked(before.marked(block)) == block
    assert now.unmarked(now.marked(block)) == block
    assert before.unmarked(now.marked(block)) is None
    assert before.unmarked(block) is None
    assert Origin(provider="azure", account="org-1").unmarked(now.marked(block)) is None
