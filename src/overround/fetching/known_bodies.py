"""Bodies that have come before: what they say is known, and they are neither unpacked nor decoded again."""

import hashlib
from collections import OrderedDict
from datetime import datetime
from typing import Final

import msgspec

from overround.ports import Normaliser
from overround.records.event import Offer
from overround.records.response import KnownBody, Response

BODIES_KEPT: Final = 40_000
_DIGEST_BYTES: Final = 16


def body_digest(body: bytes) -> bytes:
    """Return the hash by which bytes are known: 16 bytes of SHA-1, which tells bodies apart and protects nothing."""
    return hashlib.sha1(body, usedforsecurity=False).digest()[:_DIGEST_BYTES]


class UnchangedBodies:
    """A reader that knows the newest complete body of each listing, and decodes only what differs from it.

    A body is known by the hash of its bytes as they arrived, compressed, which its offer carries. The offers of
    equal bodies are the same object, and so are their markets.
    """

    def __init__(self, normaliser: Normaliser, kept: int = BODIES_KEPT) -> None:
        """Keep the offers of so many listings; those that were met longest ago go first."""
        self._normaliser = normaliser
        self._kept = kept
        self._bodies: OrderedDict[bytes, KnownBody] = OrderedDict()
        self._digests: dict[str, bytes] = {}

    @property
    def covered(self) -> frozenset[str]:
        """Return the keys of all catalogue markets that this mapping can produce."""
        return self._normaliser.covered

    def known(self, digest: bytes, at: datetime) -> KnownBody | None:
        """Return what a body received at `at` says, by the hash of its bytes as they arrived, if that is known."""
        body = self._bodies.get(digest)
        if body is None or at >= body.offer.listing.kickoff:
            return None
        self._bodies.move_to_end(digest)
        return body

    def read(self, response: Response) -> Offer:
        """Decode and normalise a single-event body, unless it is known.

        Raises:
            FetchError: as the normaliser itself does.
        """
        if response.known is not None:
            return response.known.offer
        at, digest = response.received_at, response.digest
        offer = msgspec.structs.replace(self._normaliser.normalise(response.body, at), body_hash=digest)
        self._forget(offer.listing.listing_id)
        self._forget_started(at)
        if offer.complete and digest:  # another may read otherwise at another time
            self._keep(KnownBody(offer=offer, bytes=response.bytes))
        return offer

    def _keep(self, body: KnownBody) -> None:
        digest = body.offer.body_hash
        self._bodies[digest] = body
        self._digests[body.offer.listing.listing_id] = digest
        if len(self._bodies) > self._kept:
            self._forget(self._oldest().listing.listing_id)

    def _forget_started(self, at: datetime) -> None:
        """Forget started events, as far as they were met longest ago; the others have their turn."""
        while self._bodies and self._oldest().listing.kickoff <= at:
            self._forget(self._oldest().listing.listing_id)

    def _oldest(self) -> Offer:
        return next(iter(self._bodies.values())).offer

    def _forget(self, listing_id: str) -> None:
        digest = self._digests.pop(listing_id, None)
        if digest is not None:
            self._bodies.pop(digest, None)
