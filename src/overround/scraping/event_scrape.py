"""One event at one bookmaker: fetched, decoded, normalised, checked, and put down to be stored."""

import asyncio
from collections.abc import Sequence
from datetime import datetime

import msgspec
import structlog

from overround.caching.change_detection import ChangedSnapshot, Prepared, prepare
from overround.caching.odds_cache import OddsCache
from overround.catalogue import Catalogue
from overround.errors import ErrorClass, FetchError, MalformedError
from overround.ports import BookmakerClient, Clock, Reader
from overround.records.batch import SnapshotWriteData
from overround.records.event import Listing, Offer
from overround.records.odds import Snapshot
from overround.records.response import Response
from overround.scraping.matching import same_match
from overround.scraping.precedence import Precedence
from overround.scraping.write_batch import snapshot_write_data

_log = structlog.get_logger(__name__)


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """A bookmaker as the scraper sees it."""

    slug: str
    client: BookmakerClient
    reader: Reader


class PreparedStore(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What storing a snapshot needs, made while the other bodies of its batch are under way.

    `data` is what is to be written where the verdict is that it changed; `duration_ms` is what that took.
    """

    prepared: Prepared
    data: SnapshotWriteData | None
    duration_ms: float


class EventResult(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What one fetch brought: a snapshot, or an error class and what went wrong.

    A body that shows the event in play has an offer and no snapshot: its prices are of another series.
    """

    sr_id: int
    bookmaker: str
    scraped_at: datetime
    listing_id: str | None = None
    duration_ms: int = 0
    bytes: int = 0
    snapshot: Snapshot | None = None
    offer: Offer | None = None
    error_class: str = ""
    message: str = ""
    ahead: PreparedStore | None = None


def note_fetched(result: EventResult, batch_index: int) -> None:
    """Log what a fetch brought, with the batch that it is stored in: the way from a request to a commit."""
    _log.debug(
        "event_fetched",
        bookmaker=result.bookmaker,
        sr_id=result.sr_id,
        batch_index=batch_index,
        duration_ms=result.duration_ms,
        bytes=result.bytes,
        error_class=result.error_class,
        message=result.message,
    )


def prepared_result(result: EventResult, cache: OddsCache, catalogue: Catalogue, clock: Clock) -> EventResult:
    """Return a result with what storing it needs."""
    if result.snapshot is None:
        return result
    began = clock.monotonic()
    prepared = prepare(cache, result.snapshot)
    verdict = prepared.verdict
    data = snapshot_write_data(verdict, catalogue) if isinstance(verdict, ChangedSnapshot) else None
    duration_ms = (clock.monotonic() - began) * 1000
    return msgspec.structs.replace(result, ahead=PreparedStore(prepared=prepared, data=data, duration_ms=duration_ms))


async def scrape_listing(
    source: Source, sr_id: int, listing: Listing, clock: Clock, precedence: Precedence
) -> EventResult:
    """Fetch one listing's event and return its snapshot; every failure comes back as a result."""
    began = clock.monotonic()
    try:
        response = await source.client.fetch_event(listing)
        async with precedence.reading():
            return _read(source, sr_id, listing, response, clock.monotonic())
    except FetchError as error:
        failure, message = error.error_class, str(error)
    except Exception as error:  # noqa: BLE001 - supervision point: one bad event never costs the batch
        failure, message = ErrorClass.INTERNAL, f"{source.slug}: event {listing.listing_id}: {error!r}"
        _log.error("event_scrape_bug", bookmaker=source.slug, sr_id=sr_id, exc_info=error)
    return EventResult(
        sr_id=sr_id,
        bookmaker=source.slug,
        scraped_at=clock.now(),
        listing_id=listing.listing_id,
        duration_ms=round((clock.monotonic() - began) * 1000),
        error_class=failure,
        message=message,
    )


def _read(source: Source, sr_id: int, listing: Listing, response: Response, seen: float) -> EventResult:
    offer = source.reader.read(response)
    require_asked_for(listing, offer.listing)
    return EventResult(
        sr_id=sr_id,
        bookmaker=source.slug,
        scraped_at=response.received_at,
        listing_id=listing.listing_id,
        duration_ms=response.duration_ms,
        bytes=response.bytes,
        snapshot=None if offer.live else _snapshot(source, sr_id, offer, response, seen),
        offer=offer,
    )


def require_asked_for(asked: Listing, stated: Listing) -> None:
    """Refuse a body that is not of the listing that was asked for.

    Its SportRadar number counts against the bookmaker's own word, whatever event people have linked the listing to.
    Where the bookmaker's list gives none, the teams must be those of the list.

    Raises:
        MalformedError: the body's own id, number or teams are another match's.
    """
    subject = f"event {asked.listing_id}"
    if stated.listing_id != asked.listing_id:
        reason = f"the body is of listing {stated.listing_id}"
        raise MalformedError(asked.bookmaker, subject, reason, field="listing_id")
    number = asked.own_sr_id if asked.linked else asked.sr_id
    if number is not None and stated.sr_id is not None and stated.sr_id != number:
        reason = f"the body is of event {stated.sr_id}, asked for was {number}"
        raise MalformedError(asked.bookmaker, subject, reason, field="sr_id")
    if number is None and not same_match(asked, stated):
        reason = f"the body is of {stated.home} - {stated.away}"
        raise MalformedError(asked.bookmaker, subject, reason, field="teams")


def _snapshot(source: Source, sr_id: int, offer: Offer, response: Response, seen: float) -> Snapshot:
    return Snapshot(
        sr_id=sr_id,
        bookmaker=source.slug,
        received_at=response.received_at,
        markets=offer.markets,
        complete=offer.complete,
        covered=source.reader.covered,
        unproven=frozenset(dropped.key for dropped in offer.dropped if dropped.key is not None),
        suspended=offer.suspended,
        body_hash=offer.body_hash,
        number=response.number,
        seen=seen,
    )


class Landing:
    """The results that have come and are not stored yet.

    A batch of events is as slow as its slowest answer. What has come of it by then would be stored late, so that
    after `within` seconds whatever is there is a lot of its own; None waits for whole batches.
    """

    def __init__(self, within: float | None) -> None:
        self._within = within
        self._results: list[EventResult] = []

    def put(self, result: EventResult) -> None:
        """Put a result down."""
        self._results.append(result)

    async def lot(self, batch: asyncio.Task[None]) -> Sequence[EventResult]:
        """Return what there is once a batch has ended, or when something is there that has waited long enough."""
        while not batch.done():
            await asyncio.wait([batch], timeout=self._within)
            if self._results:
                break
        results, self._results = self._results, []
        return results
