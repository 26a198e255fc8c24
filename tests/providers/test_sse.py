"""Server-sent events: the decoder against the HTML standard, and against every way of cutting bytes."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.errors import ProtocolError
from providers.sse import Decoder, ServerSentEvent, encode
from tests.providers.generated import generated


def decode(*pieces: bytes) -> list[ServerSentEvent]:
    decoder = Decoder()
    return [event for piece in pieces for event in decoder.feed(piece)] + decoder.close()


def event(data: str, name: str = "message", own_id: str = "") -> ServerSentEvent:
    return ServerSentEvent(name, data.encode(), own_id)


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"event: a\ndata: 1\n\ndata: 2\n\n", [event("1", "a"), event("2")]),
        (b"data:no space\n\n", [event("no space")]),
        (b"data:  two spaces\n\n", [event(" two spaces")]),
        (b"data: one\ndata: two\ndata\ndata:\n\n", [event("one\ntwo\n\n")]),
        (b": comment\n\n:\n\ndata: 1\n: inside\n\n", [event("1")]),
        (b"event: only a name\n\n", []),
        (b"event: ping\ndata: \n\n", []),
        (b"event: ping\ndata: 1\n\n", [event("1", "ping")]),
        (b"event: message_stop\ndata: 1\ndata: 2\n\n", [event("1\n2", "message_stop")]),
        (b"event:\ndata: 1\n\n", [event("1")]),
        (b"event: a\nevent: b\ndata: 1\n\n", [event("1", "b")]),
        (b"data: 1\nevent: a\nid: 7\nretry: 5\nunknown: x\n\n", [event("1", "a", "7")]),
        (b"id: a\0b\ndata: 1\n\n", [event("1")]),
        (b"\n\n\n\ndata: 1\n\n\n\n", [event("1")]),
        (b"\xef\xbb\xbfdata: 1\n\n\xef\xbb\xbfdata: 2\n\n", [event("1")]),
        (b"data: 1\r\n\r\ndata: 2\r\rdata: 3\n\n", [event("1"), event("2"), event("3")]),
        ("data: a\u2028b\u2029c\u0085d\x0be\x0cf\n\n".encode(), [event("a\u2028b\u2029c\u0085d\x0be\x0cf")]),
        (b" data: a space first is part of the name\n\n", []),
        (b"data: an end without its blank line\n", [event("an end without its blank line")]),
        (b"data: not even a line end", [event("not even a line end")]),
        (b"", []),
    ],
)
def test_a_stream_is_read_as_the_standard_says(stream: bytes, events: list[ServerSentEvent]) -> None:
    assert decode(stream) == events
    for cut in range(len(stream) + 1):
        assert decode(stream[:cut], stream[cut:]) == events, f"cut at {cut}"
    assert decode(*[bytes([byte]) for byte in stream]) == events


def test_an_event_is_told_as_soon_as_its_blank_line_is_there() -> None:
    decoder = Decoder()
    assert decoder.feed(b"data: 1\n") == []
    assert decoder.feed(b"\n") == [event("1")]
    assert decoder.feed(b"data: 2\r\n\r") == [event("2")]
    assert decoder.feed(b"\ndata: 3\r\r") == [event("3")]
    assert decoder.feed(b"\n") == []


line_ends = st.sampled_from([b"\n", b"\r", b"\r\n"])
fields = st.tuples(
    st.sampled_from([b"data", b"event", b"id", b"", b"other", b"data"]),
    st.sampled_from([b"", b":", b": "]),
    st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=6).map(str.encode),
).map(b"".join)
streams = st.lists(st.tuples(st.one_of(fields, st.just(b"")), line_ends).map(b"".join), max_size=25).map(
    b"".join
)


@generated
@given(st.sampled_from([b"", b"\xef\xbb\xbf"]), streams, st.lists(st.integers(0, 300), max_size=6))
def test_any_cuts_give_the_events_of_the_uncut_stream(mark: bytes, stream: bytes, places: list[int]) -> None:
    whole = mark + stream
    borders = sorted({0, len(whole), *[place % (len(whole) + 1) for place in places]})
    pieces = [whole[begin:finish] for begin, finish in pairwise(borders)]
    assert decode(*pieces) == decode(whole) == reference(whole)


def reference(stream: bytes) -> list[ServerSentEvent]:
    """The standard's algorithm, line by line, on the whole stream."""
    text = stream.decode().removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    events: list[ServerSentEvent] = []
    data: list[str] = []
    name = own_id = ""
    for line in [*text.split("\n"), ""]:
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line:
            if "\n".join(data):
                events.append(event("\n".join(data), name or "message", own_id))
            data, name, own_id = [], "", ""
        elif field == "data":
            data.append(value)
        elif field == "event":
            name = value
        elif field == "id" and "\0" not in value:
            own_id = value
    return events


def capped(*pieces: bytes) -> tuple[list[ServerSentEvent], bool]:
    """What a decoder with a cap of 30 bytes reads of it, and whether it failed."""
    decoder = Decoder(max_event_bytes=30)
    events: list[ServerSentEvent] = []
    try:
        for piece in pieces:
            events += decoder.feed(piece)
        events += decoder.close()
    except ProtocolError:
        pass
    return events, decoder.failure is not None


@generated
@given(st.binary(max_size=80))
def test_any_bytes_are_read_or_refused_the_same_however_cut(stream: bytes) -> None:
    whole = capped(stream)
    assert capped(*[bytes([byte]) for byte in stream]) == whole
    assert all(capped(stream[:cut], stream[cut:]) == whole for cut in range(len(stream)))


@generated
@given(st.sampled_from([b"", b"\xef\xbb\xbf"]), st.integers(0, 40), line_ends)
def test_the_cap_holds_at_the_same_byte_however_cut(mark: bytes, size: int, line_end: bytes) -> None:
    stream = mark + b"data: " + b"a" * size + line_end * 2 + b"data: 2" + line_end * 2
    whole = capped(stream)
    assert capped(*[bytes([byte]) for byte in stream]) == whole
    assert all(capped(stream[:cut], stream[cut:]) == whole for cut in range(len(stream)))


@pytest.mark.parametrize("poison", [b"data: \xff\n\n", b"data: \xed\xa0\x80\n\n", b"data: \xf0\x9f\n\n"])
def test_an_event_that_is_no_utf8_is_refused_after_those_before_it(poison: bytes) -> None:
    decoder = Decoder()
    assert decoder.feed(b"data: 1\n\n" + poison + b"data: 2\n\n") == [event("1")]
    assert decoder.failure is not None
    with pytest.raises(ProtocolError):
        decoder.feed(b"data: 3\n\n")


def test_an_event_above_the_cap_is_refused_before_it_is_whole() -> None:
    decoder = Decoder(max_event_bytes=1000)
    with pytest.raises(ProtocolError):
        for _ in range(12):
            assert decoder.feed(b"data: " + b"a" * 100) == []
    assert decode(*[b"data: " + b"a" * 994 + b"\n\n"] * 3, b": " + b"x" * 900) != []


def test_a_large_event_in_small_pieces_is_read_in_linear_time() -> None:
    piece = b"a" * 1000
    [found] = decode(b"data: ", *[piece] * 5000, b"\n\n")
    assert len(found.data) == 5_000_000


def test_many_data_lines_are_joined_in_linear_time() -> None:
    [found] = decode(b"data: x\n" * 300_000 + b"\n")
    assert len(found.data) == 599_999


def test_an_encoded_event_is_one_line_of_data_under_its_name() -> None:
    sent = encode({"type": "odd", "text": "a\nb\r\u2028 é"})
    assert sent == 'event: odd\ndata: {"type":"odd","text":"a\\nb\\r\u2028 é"}\n\n'.encode()
    with pytest.raises(ValueError, match="one line"):
        encode({"type": "a\ndata: forged"})
