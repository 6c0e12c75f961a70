"""The client's parser reads a stream as the WHATWG standard says, however its bytes are cut into chunks.

Each rule is quoted from https://html.spec.whatwg.org/multipage/server-sent-events.html, sections 9.2.5 and 9.2.6.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

import pytest
from headway_client.sse import EventStreamParser, Frame
from hypothesis import given
from hypothesis import strategies as st


def frames(*chunks: bytes, last_event_id: str = "") -> list[Frame]:
    parser = EventStreamParser(last_event_id)
    return [frame for chunk in chunks for frame in parser.feed(chunk)]


def data(*chunks: bytes) -> list[bytes]:
    return [frame.data for frame in frames(*chunks)]


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_lines_end_with_lf_cr_or_crlf(end: bytes) -> None:
    """The rule: "Lines must be separated by either [...] (CRLF) [...], a single [...] (LF) [...], or [...] (CR)"."""
    assert data(end.join([b"data: a", b"data: b", b"", b"data: c", b"", b""])) == [b"a\nb", b"c"]


def test_line_ends_may_be_mixed() -> None:
    assert data(b"data: a\r\ndata: b\rdata: c\n\r\ndata: d\n\r") == [b"a\nb\nc", b"d"]


@pytest.mark.parametrize("other", ["\u2028", "\u2029", "\u0085", "\v", "\f", "\x1c", "\x1d", "\x1e"])
def test_nothing_else_ends_a_line(other: str) -> None:
    text = f"a{other}data: b"
    assert data(f"data: {text}\n\n".encode()) == [text.encode()]


def test_a_crlf_cut_in_two_is_one_line_end() -> None:
    assert data(b"data: a\r", b"\ndata: b\r", b"\n\r", b"\n") == [b"a\nb"]


def test_a_cr_ends_its_line_before_the_next_byte_has_come() -> None:
    assert data(b"data: a\r\r") == [b"a"]


def test_two_cr_cut_in_two_are_two_line_ends() -> None:
    assert data(b"data: a\r", b"\r") == [b"a"]


def test_an_empty_chunk_between_the_halves_of_a_crlf_changes_nothing() -> None:
    assert data(b"data: a\r", b"", b"\n", b"data: b\n\n") == [b"a\nb"]


def test_one_leading_byte_order_mark_is_ignored_and_no_other() -> None:
    """The rule: "one leading U+FEFF BYTE ORDER MARK character must be ignored if any are present"."""
    assert data(b"\xef\xbb\xbfdata: a\n\n") == [b"a"]
    assert data(b"\xef", b"\xbb", b"\xbf", b"data: a\n\n") == [b"a"]
    assert data(b"\xef\xbb\xbf\xef\xbb\xbfdata: a\n\n") == []
    assert data(b"data: \xef\xbb\xbfa\n\n\xef\xbb\xbfdata: b\n\n") == [b"\xef\xbb\xbfa"]


def test_one_space_after_the_colon_is_not_part_of_the_value() -> None:
    """The rule: "If value starts with a U+0020 SPACE character, remove it from value."."""
    assert data(b"data:a\n\ndata: b\n\ndata:  c\n\ndata:\td\n\n") == [b"a", b"b", b" c", b"\td"]


def test_a_line_that_begins_with_a_colon_is_a_comment() -> None:
    assert data(b": data: a\n:\n\ndata: b\n:data: c\n\n") == [b"b"]


def test_a_line_without_a_colon_is_a_field_with_an_empty_value() -> None:
    """The rule: "using the whole line as the field name, and the empty string as the field value"."""
    assert data(b"data\n\ndata\ndata\n\n") == [b"", b"\n"]


def test_other_fields_and_other_cases_are_ignored() -> None:
    """The rule: "Field names must be compared literally, with no case folding performed."."""
    assert frames(b"Data: a\nDATA: b\n data: c\nEvent: x\ndatum: d\ndata: e\n\n") == [Frame("", "message", b"e")]


def test_several_data_lines_are_joined_by_lf() -> None:
    assert data(b"data: {\ndata: \ndata: }\n\n") == [b"{\n\n}"]


def test_the_event_field_names_one_event_only() -> None:
    assert frames(b"event: a\nevent: b\ndata\n\ndata\n\nevent:\ndata\n\n") == [
        Frame("", "b", b""), Frame("", "message", b""), Frame("", "message", b""),
    ]  # fmt: skip


def test_an_event_without_data_is_not_dispatched_and_its_name_is_forgotten() -> None:
    """The rule: "If the data buffer is an empty string, set [...] the event type buffer to the empty string"."""
    assert frames(b"event: a\n\ndata: b\n\n") == [Frame("", "message", b"b")]


def test_an_id_holds_for_the_events_after_it_until_the_next() -> None:
    assert [frame.id for frame in frames(b"id: 1\ndata\n\ndata\n\nid: 2\n\ndata\n\nid\ndata\n\n")] == [
        "1",
        "1",
        "2",
        "",
    ]
    assert frames(b"data\n\n", last_event_id="7") == [Frame("7", "message", b"")]


def test_an_id_with_nul_is_ignored() -> None:
    """The rule: "If the field value does not contain U+0000 NULL, then set the last event ID buffer"."""
    assert frames(b"id: 1\nid: 2\0\ndata\n\n") == [Frame("1", "message", b"")]


def test_an_id_is_the_place_to_resume_at_only_with_the_end_of_its_event() -> None:
    parser = EventStreamParser()
    parser.feed(b"id: 1\ndata: a\n\nid: 2\ndata: b\n")
    assert parser.last_event_id == "1"
    parser.feed(b"\n")
    assert parser.last_event_id == "2"
    parser.feed(b"id: 3\n\n")
    assert parser.last_event_id == "3"


@pytest.mark.parametrize("wrong", [b"", b"+5", b"-5", b"5s", b" 5", b"1_0", "٣".encode(), b"9" * 5000])
def test_a_retry_that_is_not_digits_is_ignored(wrong: bytes) -> None:
    """The rule: "If the field value consists of only ASCII digits, then interpret [it] as an integer in base ten"."""
    parser = EventStreamParser()
    parser.feed(b"retry: 1500\n")
    assert parser.retry_ms == 1500
    parser.feed(b"retry: %b\n" % wrong)
    assert parser.retry_ms == 1500


def test_an_event_cut_by_the_end_of_the_stream_is_not_dispatched() -> None:
    """The rule: "Once the end of the file is reached, any pending data must be discarded."."""
    assert data(b"data: a\n\ndata: b\n") == [b"a"]


def test_what_is_not_utf_8_is_replaced_in_ids_and_names() -> None:
    assert frames(b"id: \xff\nevent: \xc3\ndata: \xff\n\n") == [Frame("\ufffd", "\ufffd", b"\xff")]


def test_a_character_cut_in_two_is_whole() -> None:
    encoded = "id: é\nevent: 録\ndata: 😀\n\n".encode()
    whole = [Frame("é", "録", "😀".encode())]
    assert frames(*(encoded[at : at + 1] for at in range(len(encoded)))) == whole


def reference(stream: bytes) -> list[Frame]:
    """The standard's algorithm on a whole stream, word by word and slowly."""
    text = stream.decode("latin-1").removeprefix("\xef\xbb\xbf")  # bytes as characters, so that data stays bytes
    *lines, _ = re.split("\r\n|\r|\n", text)
    found: list[Frame] = []
    last_id, name, buffer = "", "", ""
    for line in lines:
        if not line:
            if buffer:
                found.append(Frame(_utf8(last_id), _utf8(name) or "message", buffer[:-1].encode("latin-1")))
            name, buffer = "", ""
            continue
        if line.startswith(":"):
            continue
        field, value = line.split(":", 1) if ":" in line else (line, "")
        value = value[1:] if value[:1] == " " else value
        if field == "event":
            name = value
        elif field == "data":
            buffer += value + "\n"
        elif field == "id" and "\0" not in value:
            last_id = value
    return found


def _utf8(text: str) -> str:
    return text.encode("latin-1").decode(errors="replace")


PIECES = [
    b"data", b"id", b"event", b"retry", b":", b" ", b"\n", b"\n\n", b"\r", b"\r\n", b"a", b"12", b"\0", b"\xef\xbb\xbf",
    "\u2028".encode(), "é".encode(), b"\xff", b"\x0b", b"\x85",
]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=60), st.data())
def test_any_stream_in_any_chunks_gives_what_the_standard_says(pieces: Sequence[bytes], draw: st.DataObject) -> None:
    stream = b"".join(pieces)
    cuts = draw.draw(st.lists(st.integers(0, len(stream)), max_size=20))
    chunks = [stream[begin:end] for begin, end in pairwise([0, *sorted(cuts), len(stream)])]
    assert frames(*chunks) == reference(stream)


def test_a_megabyte_byte_by_byte_takes_no_longer_than_its_bytes() -> None:
    """Each byte once: a parser that joins what it has with each chunk copies half a terabyte here."""
    payload = b"x" * 1_000_000
    parser = EventStreamParser()
    found = [frame for byte in b"data: " + payload + b"\n\n" for frame in parser.feed(bytes((byte,)))]
    assert [frame.data for frame in found] == [payload]
