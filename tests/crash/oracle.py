"""Compares what the database holds with what the writers offered and had acknowledged."""

import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path

import asyncpg
import msgspec

from overround.db.embedded import DATABASE, USER
from tests.crash.ledger import Offer, generations
from tests.crash.payload import digest, markets_of
from tests.integration.write_data import NUMBERS

_STORED = """
select id, event_id, bookmaker_id, captured_at, market_ids, specifiers, counts, prices from odds_snapshots
"""
_DEAD = "select count(*) from dead_letters where kind = 'snapshot'"
# A transaction's number tells when it began to write, so history was written in order where it never falls.
_WRITTEN_OUT_OF_ORDER = """
select count(*)
from (
    select xmin::text::bigint as now,
        lag(xmin::text::bigint) over (partition by event_id, bookmaker_id order by captured_at) as before
    from odds_snapshots
) as written
where before > now
"""
_LATEST_NOT_NEWEST = """
select count(*)
from (select distinct event_id, bookmaker_id from odds_snapshots) as k
left join latest_odds as l using (event_id, bookmaker_id)
where l.snapshot_id is distinct from (
    select o.id from odds_snapshots as o
    where o.event_id = k.event_id and o.bookmaker_id = k.bookmaker_id
    order by o.captured_at desc
    limit 1
)
"""


class Findings(msgspec.Struct, frozen=True, kw_only=True):
    """What the comparison found, in snapshots; all but `acked`, `stored` and `dead` have to be 0.

    `lost` were acknowledged, and are neither stored nor dead letters. `doubled` are rows beyond the first of
    their id. `altered` are stored otherwise than they were offered, or never were. `torn` are batches
    that nobody acknowledged and of which a part is stored. `disordered` are steps back in the history of
    one price, and latest states that are not the newest.
    """

    acked: int
    stored: int
    dead: int
    lost: int
    doubled: int
    altered: int
    torn: int
    disordered: int

    @property
    def sound(self) -> bool:
        """Tell whether every promise was kept."""
        return not (self.lost or self.doubled or self.altered or self.torn or self.disordered)


class _Stored(msgspec.Struct, frozen=True):
    digests: Mapping[uuid.UUID, bytes]
    doubled: int
    dead: int
    disordered: int


async def examine(sockets: str, ledger: Path) -> Findings:
    """Compare the database behind a socket directory with the writers' ledger."""
    connection = await asyncpg.connect(host=sockets, user=USER, database=DATABASE)
    try:
        stored = await _read(connection)
    finally:
        await connection.close()
    return _compare(stored, ledger)


async def _read(connection: asyncpg.Connection) -> _Stored:
    slugs = {number: slug for slug, number in NUMBERS.items()}
    digests: dict[uuid.UUID, bytes] = {}
    rows = 0
    async with connection.transaction():
        async for row in connection.cursor(_STORED, prefetch=2000):
            uid, sr_id, bookmaker, captured_at, *packed = row
            digests[uuid.UUID(int=uid.int)] = digest(sr_id, slugs[bookmaker], captured_at, markets_of(*packed))
            rows += 1
    return _Stored(
        digests,
        doubled=rows - len(digests),
        dead=await connection.fetchval(_DEAD),
        disordered=await connection.fetchval(_WRITTEN_OUT_OF_ORDER) + await connection.fetchval(_LATEST_NOT_NEWEST),
    )


def _compare(stored: _Stored, ledger: Path) -> Findings:
    offered: dict[uuid.UUID, bytes] = {}
    acked = missing = torn = 0
    for offer, acknowledged in _offers(ledger):
        offered |= {one.uid: one.digest for one in offer.snapshots}
        present = sum(one.uid in stored.digests for one in offer.snapshots)
        if acknowledged:
            acked += len(offer.snapshots)
            missing += len(offer.snapshots) - present
        elif 0 < present < len(offer.snapshots):
            torn += 1
    return Findings(
        acked=acked,
        stored=len(stored.digests),
        dead=stored.dead,
        lost=missing - stored.dead,
        doubled=stored.doubled,
        altered=sum(offered.get(uid) != value for uid, value in stored.digests.items()),
        torn=torn,
        disordered=stored.disordered,
    )


def _offers(ledger: Path) -> Iterator[tuple[Offer, bool]]:
    for generation in generations(ledger):
        acked = {ack.batch for ack in generation.acks}
        yield from ((offer, offer.batch in acked) for offer in generation.offers)
