"""What a query may say, read by the Structs that describe it; what is wrong is named with what was expected."""

from __future__ import annotations

import pytest
from headway_gateway import parameters
from headway_gateway.errors import InvalidParameter
from headway_gateway.parameters import BatchesQuery, BatchPlace, EventsQuery, FilePlace, FilesQuery
from hypothesis import given
from hypothesis import strategies as st
from multidict import MultiDict

REFUSED = [
    (BatchesQuery, "limit=0", "limit is '0'; expected `int` >= 1"),
    (BatchesQuery, "limit=x", "limit is 'x'; expected `int`"),
    (BatchesQuery, "limit=1&limit=2", "limit is '1, 2'; expected one value"),
    (BatchesQuery, "status=pending&status=odd", "status is 'odd'; expected one of complete, complete_with_errors,"),
    (BatchesQuery, "label=a:b&label=c", "label is 'c'; expected `str` matching regex"),
    (EventsQuery, "order=up", "order is 'up'; expected one of asc, desc"),
    (EventsQuery, "eventType=odd", "eventType is 'odd'; expected one of stage_start, file_complete,"),
    (EventsQuery, "stage=", "stage is ''; expected `str` of length >= 1"),
    (EventsQuery, "stage=a\0", "stage is 'a\\x00'; expected text without NUL"),
    (
        EventsQuery,
        "after=99999999999999999999",
        "after is '99999999999999999999'; expected `int` <= 9223372036854775807",
    ),
    (FilesQuery, "outcome=odd", "outcome is 'odd'; expected one of error, success"),
]


def query(text: str) -> MultiDict[str]:
    return MultiDict((name, value) for name, _, value in (part.partition("=") for part in text.split("&")))


@pytest.mark.parametrize(("kind", "text", "message"), REFUSED, ids=lambda part: part if isinstance(part, str) else "")
def test_what_is_malformed_is_refused_by_name_with_what_was_expected(
    kind: type[BatchesQuery], text: str, message: str
) -> None:
    with pytest.raises(InvalidParameter) as refused:
        parameters.read(query(text), kind)

    assert str(refused.value).startswith(message)
    assert refused.value.parameter == text.partition("=")[0]


def test_lists_keep_every_value_and_what_is_not_given_has_its_default() -> None:
    found = parameters.read(query("label=a:b&label=c:d:e&unknown=1"), BatchesQuery)

    assert (found.label, found.status, found.limit) == (["a:b", "c:d:e"], [], 50)
    assert parameters.given(found.after) is None


@given(
    st.builds(
        BatchPlace,
        st.floats(allow_infinity=False, allow_nan=False),
        st.integers(-(2**63), 2**63 - 1),
    )
    | st.builds(
        FilePlace,
        st.floats(-1, allow_infinity=False),
        st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
        st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
    )
)
def test_a_cursor_leads_back_to_exactly_its_place(place: BatchPlace | FilePlace) -> None:
    assert parameters.read_cursor(parameters.encode_cursor(place), type(place)) == place


@pytest.mark.parametrize("text", ["", "zzz", "é", "WzFd", "WyIyMDI0LTAxLTAxVDAwOjAwOjAwIiwxXQ=="])
def test_what_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(InvalidParameter, match="expected the `after` of a `next` address"):
        parameters.read_cursor(text, BatchPlace)
