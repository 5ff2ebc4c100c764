"""Bodies that have come before: what they say is known, and they are not decoded again."""

import hashlib
from collections import OrderedDict
from datetime import datetime
from typing import Final

import msgspec

from overround.event import Offer
from overround.ports import Normaliser

BODIES_KEPT: Final = 40_000
_DIGEST_BYTES: Final = 16


def body_digest(body: bytes) -> bytes:
    """Return the hash by which a body is known: 16 bytes of SHA-1, which tells bodies apart and protects nothing."""
    return hashlib.sha1(body, usedforsecurity=False).digest()[:_DIGEST_BYTES]


class UnchangedBodies:
    """A normaliser that knows the newest complete body of each listing, and decodes only what differs from it.

    Its offers carry their body's hash. Those of equal bodies are the same object, and so are their markets.
    """

    def __init__(self, normaliser: Normaliser, kept: int = BODIES_KEPT) -> None:
        """Keep the offers of so many listings; those that were met longest ago go first."""
        self._normaliser = normaliser
        self._kept = kept
        self._offers: OrderedDict[bytes, Offer] = OrderedDict()
        self._digests: dict[str, bytes] = {}

    @property
    def covered(self) -> frozenset[str]:
        """Return the keys of all catalogue markets that this mapping can produce."""
        return self._normaliser.covered

    def normalise(self, body: bytes, at: datetime) -> Offer:
        """Decode and normalise a single-event body received at `at`, unless it is known.

        Raises:
            FetchError: as the normaliser itself does.
        """
        digest = body_digest(body)
        known = self._offers.get(digest)
        if known is not None and at < known.listing.kickoff:
            self._offers.move_to_end(digest)
            return known
        offer = msgspec.structs.replace(self._normaliser.normalise(body, at), body_hash=digest)
        self._forget(offer.listing.listing_id)
        self._forget_started(at)
        if offer.complete:  # another may read otherwise at another time
            self._keep(offer)
        return offer

    def _keep(self, offer: Offer) -> None:
        self._offers[offer.body_hash] = offer
        self._digests[offer.listing.listing_id] = offer.body_hash
        if len(self._offers) > self._kept:
            self._forget(self._oldest().listing.listing_id)

    def _forget_started(self, at: datetime) -> None:
        """Forget started events, as far as they were met longest ago; the others have their turn."""
        while self._offers and self._oldest().listing.kickoff <= at:
            self._forget(self._oldest().listing.listing_id)

    def _oldest(self) -> Offer:
        return next(iter(self._offers.values()))

    def _forget(self, listing_id: str) -> None:
        digest = self._digests.pop(listing_id, None)
        if digest is not None:
            self._offers.pop(digest, None)
