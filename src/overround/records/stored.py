"""What the database gives back to the service."""

import uuid
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

import msgspec

from overround.records.event import Listing


class LatestRow(msgspec.Struct, frozen=True, kw_only=True):
    """One (event, bookmaker) as the database holds it: parallel sequences, one element a market.

    `confirmed_at` is empty where all markets were seen at `captured_at`. `place` is (epoch, seq); None where it is
    not known.
    """

    sr_id: int
    bookmaker: str
    snapshot_id: uuid.UUID
    captured_at: datetime
    last_confirmed_at: datetime | None
    body_hash: bytes
    markets: Sequence[int]
    specifiers: Sequence[str]
    prices: Sequence[tuple[int, ...]]
    changed_at: Sequence[datetime]
    confirmed_at: Sequence[datetime]
    place: tuple[int, int] | None = None


class StoredListing(msgspec.Struct, frozen=True, kw_only=True):
    """A listing as the database holds it."""

    listing: Listing
    gone_at: datetime | None
    duplicate: bool = False


class Role(StrEnum):
    """What the holder of an API key may do; who may operate may read too."""

    READ = "read"
    OPERATE = "operate"


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """An API key as the database holds it: never the key itself, only its digest."""

    id: str
    name: str
    role: Role
    digest: bytes
    created_at: datetime
    revoked_at: datetime | None = None


class StoredChange(msgspec.Struct, frozen=True, kw_only=True):
    """That a market of an event changed at a bookmaker: its catalogue number, specifiers and outcomes from then on."""

    bookmaker: str
    at: datetime
    market: int
    specifiers: str
    prices: Sequence[int]


class RunChange(msgspec.Struct, frozen=True, kw_only=True):
    """That a run changed so many markets of an event at a bookmaker; the totals are those of the whole run."""

    sr_id: int
    home: str
    away: str
    bookmaker: str
    at: datetime
    markets: int
    total: int
    total_markets: int
