"""Bodies that have come before: what they say is known, and they are neither unpacked nor decoded again."""

import hashlib
from collections import OrderedDict
from datetime import datetime
from typing import Final

import msgspec

from overround.event import Offer
from overround.ports import Normaliser
from overround.response import KnownBody, Response

BODIES_KEPT: Final = 40_000
_DIGEST_BYTES: Final = 16


def body_digest(body: bytes) -> bytes:
    """Return the hash by which bytes are known: 16 bytes of SHA-1, which tells bodies apart and protects nothing."""
    return hashlib.sha1(body, usedforsecurity=False).digest()[:_DIGEST_BYTES]


class _Kept(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A listing's newest body, and the hash of the bytes as which it came."""

    body: KnownBody
    arrived: bytes


class UnchangedBodies:
    """A reader that knows the newest complete body of each listing, and decodes only what differs from it.

    Its offers carry their body's hash. Those of equal bodies are the same object, and so are their markets. A
    body is known by its bytes as they arrived, compressed, and by its own: a server may pack it another way.
    """

    def __init__(self, normaliser: Normaliser, kept: int = BODIES_KEPT) -> None:
        """Keep the offers of so many listings; those that were met longest ago go first."""
        self._normaliser = normaliser
        self._most = kept
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._listings: dict[bytes, str] = {}

    @property
    def covered(self) -> frozenset[str]:
        """Return the keys of all catalogue markets that this mapping can produce."""
        return self._normaliser.covered

    def known(self, digest: bytes, at: datetime) -> KnownBody | None:
        """Return what a body received at `at` says, by the hash of its bytes as they arrived, if that is known."""
        listing_id = self._listings.get(digest)
        if listing_id is None:
            return None
        body = self._kept[listing_id].body
        if at >= body.offer.listing.kickoff:
            return None
        self._kept.move_to_end(listing_id)
        return body

    def read(self, response: Response) -> Offer:
        """Decode and normalise a single-event body, unless it is known.

        Raises:
            FetchError: as the normaliser itself does.
        """
        if response.known is not None:
            return response.known.offer
        at, digest = response.received_at, body_digest(response.body)
        known = self.known(digest, at)
        if known is None:
            known = self._decoded(response, digest)
        if known.offer.complete:  # another may read otherwise at another time
            self._keep(known, response.digest)
        return known.offer

    def _decoded(self, response: Response, digest: bytes) -> KnownBody:
        offer = self._normaliser.normalise(response.body, response.received_at)
        self._forget(offer.listing.listing_id)
        self._forget_started(response.received_at)
        return KnownBody(offer=msgspec.structs.replace(offer, body_hash=digest), bytes=response.bytes)

    def _keep(self, body: KnownBody, arrived: bytes) -> None:
        listing_id = body.offer.listing.listing_id
        self._forget(listing_id)
        self._kept[listing_id] = _Kept(body=body, arrived=arrived)
        self._listings[body.offer.body_hash] = listing_id
        if arrived:
            self._listings[arrived] = listing_id
        if len(self._kept) > self._most:
            self._forget(next(iter(self._kept)))

    def _forget_started(self, at: datetime) -> None:
        """Forget started events, as far as they were met longest ago; the others have their turn."""
        while self._kept and self._oldest().listing.kickoff <= at:
            self._forget(self._oldest().listing.listing_id)

    def _oldest(self) -> Offer:
        return next(iter(self._kept.values())).body.offer

    def _forget(self, listing_id: str) -> None:
        kept = self._kept.pop(listing_id, None)
        if kept is not None:
            for digest in (kept.body.offer.body_hash, kept.arrived):
                if self._listings.get(digest) == listing_id:
                    del self._listings[digest]
