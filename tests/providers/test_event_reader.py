"""What an adapter yields: text cleaned once, sealed fields untouched, the same however the bytes are cut."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.event_reader import EventReader
from providers.types import StreamEvent
from tests.providers.generated import generated
from tests.providers.loopback import PING, STOP, block, hello, start, stop, text


def line(event: StreamEvent) -> bytes:
    """As the vendor escapes it: every character outside ASCII as \\uXXXX, a lone surrogate included."""
    return b"data: " + json.dumps(event).encode() + b"\n\n"


def read(*events: StreamEvent | bytes) -> tuple[list[StreamEvent], bool]:
    """The events, and whether reading failed."""
    reader = EventReader()
    found = [
        one for event in events for one in reader.feed(event if isinstance(event, bytes) else line(event))
    ]
    return found + reader.close(), reader.failure is not None


def texts(*parts: str) -> str:
    """What the text of a block reads when it comes in these parts."""
    events, failed = read(*[text(0, part) for part in parts], stop(0))
    assert not failed
    return "".join(event["delta"]["text"] for event in events if event["type"] == "content_block_delta")


@pytest.mark.parametrize(
    ("parts", "whole"),
    [
        (["\U0001f600"], "\U0001f600"),
        (["a\ud83d", "\ude00b"], "a\U0001f600b"),
        (["\ud83d", "", "\ude00"], "\U0001f600"),
        (["\ud83d", "\ude00\ud83d", "\ude80"], "\U0001f600\U0001f680"),
        (["\ud83d", "x"], "\ufffdx"),
        (["\ude00"], "\ufffd"),
        (["\ud83d"], "\ufffd"),
        (["\ud83d\ud83d", "\ude00"], "\ufffd\U0001f600"),
        (["\ud83d", "\ud83d"], "\ufffd\ufffd"),
        (["a\0b", "\0"], "ab"),
        (["\ud83d\0", "\ude00"], "\ufffd\ufffd"),
        (["\u2028\ufeffé"], "\u2028\ufeffé"),
    ],
)
def test_text_is_cleaned_and_pairs_are_joined(parts: list[str], whole: str) -> None:
    assert texts(*parts) == whole


@generated
@given(
    st.text(
        st.characters(min_codepoint=0xD7F0, max_codepoint=0x1F000) | st.sampled_from("a\0\ud83d\ude00"),
        max_size=12,
    ),
    st.data(),
)
def test_text_reads_the_same_however_it_is_parted(whole: str, data: st.DataObject) -> None:
    units = [
        whole.encode("utf-16-le", "surrogatepass")[place : place + 2]
        for place in range(0, 2 * _units(whole), 2)
    ]
    parts: list[bytes] = [b""]
    for unit in units:
        if data.draw(st.booleans()):
            parts.append(b"")
        parts[-1] += unit
    parted = texts(*[_lone(part) for part in parts])
    expected = whole.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if "\0" not in whole:
        assert parted == expected
    assert "\0" not in parted
    parted.encode()


def _units(value: str) -> int:
    return len(value.encode("utf-16-le", "surrogatepass")) // 2


def _lone(units: bytes) -> str:
    return "".join(
        chr(int.from_bytes(units[place : place + 2], "little")) for place in range(0, len(units), 2)
    )


def test_a_half_pair_is_given_up_when_its_text_does_not_go_on() -> None:
    lone = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "\ufffd"}}
    events, _ = read(text(0, "a\ud83d"), PING, stop(0))
    assert events == [text(0, "a"), lone, stop(0)]
    events, _ = read(text(0, "a\ud83d"), text(1, "\ude00"))
    assert events == [text(0, "a"), lone, text(1, "\ufffd")]
    events, _ = read(text(0, "a\ud83d"))
    assert events == [text(0, "a"), lone]


def delta(kind: str, **fields: Any) -> StreamEvent:
    return {"type": "content_block_delta", "index": 0, "delta": {"type": kind, **fields}}


def test_thinking_and_input_are_text_too() -> None:
    events, _ = read(
        delta("thinking_delta", thinking="a\0\ud83d"), delta("thinking_delta", thinking="\ude00")
    )
    assert [event["delta"]["thinking"] for event in events] == ["a", "\U0001f600"]
    events, _ = read(
        delta("input_json_delta", partial_json='{"a\0":"\ud83d'),
        delta("input_json_delta", partial_json='\ude00"}'),
    )
    assert [event["delta"]["partial_json"] for event in events] == ['{"a":"', '\U0001f600"}']


def test_text_deep_inside_an_event_is_cleaned() -> None:
    page = {"type": "web_search_result", "title": "a\0\ud83d", "url": "https://example.org/\0"}
    [event], _ = read(block(0, "web_search_tool_result", content=[page], odd={"k\0": ["\ude00"]}))
    assert event["content_block"] == {
        "type": "web_search_tool_result",
        "content": [{"type": "web_search_result", "title": "a\ufffd", "url": "https://example.org/"}],
        "odd": {"k": ["\ufffd"]},
    }


SEALED: list[StreamEvent] = [
    delta("signature_delta", signature="c2ln{}"),
    delta("compaction_delta", encrypted_content="c2ln{}"),
    block(0, "redacted_thinking", data="c2ln{}"),
    block(0, "thinking", thinking="", signature="c2ln{}"),
    block(
        0, "web_search_tool_result", content=[{"type": "web_search_result", "encrypted_content": "c2ln{}"}]
    ),
    delta("citations_delta", citation={"type": "web_search_result_location", "encrypted_index": "c2ln{}"}),
    block(0, "code_execution_tool_result", content={"encrypted_stdout": "c2ln{}"}),
]


@pytest.mark.parametrize("sealed", SEALED)
@pytest.mark.parametrize("poison", ["\0", "\ud83d", "\ude00"])
def test_a_sealed_field_that_is_not_clean_is_refused(sealed: StreamEvent, poison: str) -> None:
    assert read(json.loads(json.dumps(sealed).replace("{}", ""))) != ([], False)
    poisoned = json.loads(json.dumps(sealed).replace("{}", json.dumps(poison)[1:-1]))
    assert read(start(), poisoned, stop(0)) == ([start()], True)


def test_data_that_is_not_sealed_is_only_text() -> None:
    document = {"type": "text", "media_type": "text/plain", "data": "page\0"}
    [event], failed = read(block(0, "web_fetch_tool_result", content={"source": document}))
    assert event["content_block"]["content"]["source"]["data"] == "page"
    assert not failed


def test_numbers_that_are_none_become_null() -> None:
    [event], failed = read(start(usage={"input_tokens": float("nan"), "output_tokens": float("-inf")}))
    assert event["message"]["usage"] == {"input_tokens": None, "output_tokens": None}
    assert not failed


def test_large_numbers_and_the_order_of_keys_are_kept() -> None:
    [event], _ = read(b'data: {"z":12345678901234567890123,"type":"x","a":1.10}\n\n')
    assert json.dumps(event) == '{"z": 12345678901234567890123, "type": "x", "a": 1.1}'


@pytest.mark.parametrize(
    "poison",
    [
        b"data: \n\ndata: {\n\n",
        b"data: null\n\n",
        b"data: []\n\n",
        b'data: {"type":5}\n\n',
        b'data: {"type":"x","text":"\x00"}\n\n',
        b'data: {"type":"x"} {}\n\n',
        b"data: [DONE]\n\n",
        b'data: {"type":"x","v":' + b"[" * 100_000 + b"\n\n",
        b'data: {"type":"x","v":' + b"[" * 101 + b"]" * 101 + b"}\n\n",
    ],
)
def test_what_is_no_event_fails_and_ends_the_reading(poison: bytes) -> None:
    assert read(start(), poison, stop(0)) == ([start()], True)
    assert read(line(start()) + poison + line(stop(0))) == ([start()], True)


@generated
@given(st.data())
def test_a_cut_in_the_bytes_changes_nothing(data: st.DataObject) -> None:
    parts = ["a\ud83d", "\ude00\0", "\ud83d", "é\u2028"]
    whole = b"".join(map(line, [start(), block(0), *[text(0, part) for part in parts], stop(0), STOP]))
    whole += data.draw(st.sampled_from([b"", b"data: bad\n\n", b"data: \xff\n\n"]))
    places = data.draw(st.lists(st.integers(0, len(whole)), max_size=5).map(sorted))
    borders = [0, *places, len(whole)]
    pieces = [whole[begin:finish] for begin, finish in pairwise(borders)]
    assert read(*pieces) == read(whole)


def test_a_last_event_without_its_blank_line_counts_when_it_is_whole() -> None:
    whole = b"".join(map(line, hello()))
    assert read(whole.rstrip()) == (hello(), False)
    assert read(whole.rstrip()[:-1]) == (hello()[:-1], False)
