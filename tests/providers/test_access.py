"""A secret is shown nowhere by accident."""

from __future__ import annotations

import copy
import dataclasses
import json
import pickle

import msgspec
import pytest

from providers.access import Access, Secret

CANARY = "sk-canary-0123456789"


def test_a_secret_prints_as_stars() -> None:
    secret = Secret(CANARY)
    access = Access("https://example.org", secret, "api_key")
    for shown in (
        str(secret),
        repr(secret),
        f"{secret}",
        f"{secret:>5}",
        repr(access),
        str([secret]),
    ):
        assert CANARY not in shown
        assert "***" in shown
    assert secret.reveal() == CANARY


def test_a_secret_cannot_be_written_down() -> None:
    secret = Secret(CANARY)
    for write in (pickle.dumps, json.dumps, msgspec.json.encode, msgspec.msgpack.encode):
        with pytest.raises(TypeError) as caught:
            write(secret)
        assert CANARY not in str(caught.value)
    assert CANARY not in str(dataclasses.asdict(Access("https://example.org", secret, "api_key")))
    assert not hasattr(secret, "__dict__")


def test_secrets_are_equal_by_their_text_and_nothing_else() -> None:
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("ü") != Secret("u")
    assert Secret("a") != "a"
    assert copy.copy(Secret("a")) == copy.deepcopy(Secret("a")) == Secret("a")
    with pytest.raises(TypeError):
        hash(Secret("a"))


def test_there_is_no_empty_secret() -> None:
    with pytest.raises(ValueError, match="empty"):
        Secret("")


def test_a_secret_is_masked_wherever_it_stands_in_a_text() -> None:
    assert Secret("a/b=").masked_in("key a/b= in https://x/?k=a%2Fb%3D and a/b=a/b=") == (
        "key *** in https://x/?k=*** and ******"
    )
