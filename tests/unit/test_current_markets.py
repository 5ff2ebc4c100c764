"""Unchanged markets in columns: nothing is lost on the way to the journal and back."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overround.records.batch import (
    CurrentMarketData,
    MarketWriteData,
    SnapshotWriteData,
    WriteBatch,
    byte_planes,
    current_markets,
    from_byte_planes,
)
from overround.storage.batch_codec import decode_batch, decode_snapshot, encode_batch

AT = datetime(2026, 1, 7, 12, tzinfo=UTC)
INSTANTS = st.datetimes(datetime(2000, 1, 1), datetime(2199, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - bounds
ROWS = st.lists(
    st.builds(
        CurrentMarketData,
        st.integers(0, 2**15 - 1),
        st.text(),
        st.lists(st.integers(-(2**31) + 1, 2**31 - 1), max_size=5).map(tuple),
        INSTANTS,
        st.just(AT) | INSTANTS,
    )
)


class _Earlier(SnapshotWriteData, frozen=True, kw_only=True):
    """A snapshot as an earlier release encoded it."""

    unchanged: tuple[CurrentMarketData, ...] = ()  # type: ignore[assignment]


def _facts() -> dict[str, object]:
    return {
        "snapshot_id": UUID(int=7),
        "sr_id": 7,
        "bookmaker": "near",
        "captured_at": AT,
        "body_hash": b"hash",
        "markets": (MarketWriteData(1, "", (2100, -1, 0)),),
    }


@given(ROWS)
def test_prices_come_back_from_their_byte_planes(rows: list[CurrentMarketData]) -> None:
    """Ordering the bytes of prices by significance, as the database keeps them, loses nothing."""
    packed = current_markets(rows, AT).prices
    assert from_byte_planes(byte_planes(packed)) == packed


@given(ROWS)
def test_columns_give_back_what_was_put_in(rows: list[CurrentMarketData]) -> None:
    """Numbers, texts, prices and both times of each market survive, through the journal's bytes too."""
    snapshot = msgspec.convert(_facts(), SnapshotWriteData)
    snapshot = msgspec.structs.replace(snapshot, unchanged=current_markets(rows, AT))
    decoded = decode_batch(encode_batch(WriteBatch(scrape_run_id=1, batch_index=0, snapshots=(snapshot,))))
    assert decoded.snapshots == (snapshot,)
    assert list(decoded.snapshots[0].unchanged.rows(AT)) == rows


def test_a_market_confirmed_with_its_snapshot_needs_no_time_of_its_own() -> None:
    """The times of confirmation are left out where all are the snapshot's, and kept where one is not."""
    rows = [CurrentMarketData(1, "", (2000,), AT, AT), CurrentMarketData(2, "", (2000,), AT, AT)]
    assert current_markets(rows, AT).confirmed_at == b""
    assert current_markets(rows, AT + timedelta(seconds=1)).confirmed_at != b""


def test_a_snapshot_of_an_earlier_release_is_read() -> None:
    """Unchanged markets that were encoded one by one become columns."""
    rows = (CurrentMarketData(1, "line=2.5", (2000, 1800), AT, AT - timedelta(minutes=1)),)
    found = decode_snapshot(msgspec.msgpack.encode(_Earlier(**_facts(), unchanged=rows)))  # type: ignore[arg-type]
    assert (found.sr_id, found.markets, tuple(found.unchanged.rows(AT))) == (7, _facts()["markets"], rows)


def test_what_no_column_takes_cannot_be_read() -> None:
    """An earlier snapshot with a number too large is refused as unreadable, like any other damage."""
    rows = (CurrentMarketData(2**15, "", (2000,), AT, AT),)
    with pytest.raises(msgspec.DecodeError, match="too large"):
        decode_snapshot(msgspec.msgpack.encode(_Earlier(**_facts(), unchanged=rows)))  # type: ignore[arg-type]
