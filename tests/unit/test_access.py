import asyncio
import re
from collections.abc import Sequence
from datetime import timedelta

from overround.access.keyring import REFRESHED_EVERY, KeyRing
from overround.access.policy import TokenBuckets
from overround.access.tokens import Sessions, mint_key, presented_key
from overround.errors import DatabaseUnavailableError
from overround.records.stored import ApiKey, Role
from overround.testing import ManualClock


class Shelf:
    """Keys that a test puts there; implements `KeySource`."""

    def __init__(self) -> None:
        self.content: list[ApiKey] = []
        self.away = False
        self.asked: asyncio.Queue[None] = asyncio.Queue()

    async def keys(self) -> Sequence[ApiKey]:
        """Return the keys, or fail."""
        self.asked.put_nowait(None)
        if self.away:
            raise DatabaseUnavailableError
        return list(self.content)

    def add(self, clock: ManualClock, role: Role = Role.READ) -> str:
        """Put a new key there and return its token."""
        minted = mint_key()
        key = ApiKey(id=minted.id, name="somebody", role=role, digest=minted.digest, created_at=clock.now())
        self.content.append(key)
        return minted.token


def ready() -> asyncio.Event:
    """Return an event that is set."""
    event = asyncio.Event()
    event.set()
    return event


def test_a_key_has_256_random_bits_and_shows_its_id() -> None:
    """A token is `ork_<id>_<43 characters>`, no two are the same, and reading it gives id and digest back."""
    first, second = mint_key(), mint_key()
    assert re.fullmatch(rf"ork_{first.id}_[A-Za-z0-9_-]{{43}}", first.token)
    assert first.token != second.token
    shown = presented_key(first.token)
    assert shown is not None
    assert (shown.id, shown.digest) == (first.id, first.digest)


def test_what_is_no_key_is_none() -> None:
    """Texts of another form are no keys, whatever they hold."""
    token = mint_key().token
    for text in ("", "ork_", token + "x", token[:-1], token.upper(), f" {token}", "ork_zzzzzzzz_" + "a" * 43, "é" * 56):
        assert presented_key(text) is None


async def test_the_ring_knows_valid_keys_only() -> None:
    """A key that was added is valid, one with the same id and another secret is not, a revoked one no longer."""
    clock, shelf = ManualClock(), Shelf()
    token = shelf.add(clock, Role.OPERATE)
    ring = KeyRing(shelf, ready(), clock)
    assert ring.holder(token) is None
    await ring.refresh()
    holder = ring.holder(token)
    assert holder is not None
    assert holder.role is Role.OPERATE
    assert ring.holder(token[:-4] + "AAAA") is None
    assert ring.holder(mint_key().token) is None
    shelf.content = []
    await ring.refresh()
    assert (ring.holder(token), ring.count) == (None, 0)


async def test_the_ring_reads_again_by_itself() -> None:
    """Keys are read every few seconds; while the database is away, those known so far stay valid."""
    clock, shelf = ManualClock(), Shelf()
    event = asyncio.Event()
    ring = KeyRing(shelf, event, clock)
    async with ring.kept_fresh():
        assert not ring.loaded
        token = shelf.add(clock)
        event.set()
        await shelf.asked.get()
        assert ring.holder(token) is not None
        shelf.away = True
        for _ in range(3):
            await shelf.asked.get()
        assert ring.holder(token) is not None
        assert set(clock.slept) == {REFRESHED_EVERY}


def test_sessions_end() -> None:
    """A session stands for its key until it is ended, or its time is over."""
    clock = ManualClock()
    sessions = Sessions(clock, timedelta(hours=1))
    first, second = sessions.begin("a"), sessions.begin("b")
    assert (sessions.key_of(first), sessions.key_of(second), sessions.key_of("other")) == ("a", "b", None)
    sessions.end(first)
    assert sessions.key_of(first) is None
    clock.advance(3600)
    assert sessions.key_of(second) is None


def test_sessions_are_bounded() -> None:
    """Beyond a number of sessions the oldest ends."""
    sessions = Sessions(ManualClock(), timedelta(hours=1), most=2)
    tokens = [sessions.begin(str(number)) for number in range(3)]
    assert [sessions.key_of(token) for token in tokens] == [None, "1", "2"]


def test_a_bucket_empties_and_refills() -> None:
    """The burst may be used at once; then tokens come back at the rate, each client's apart."""
    clock = ManualClock()
    buckets = TokenBuckets(clock, per_minute=60, burst=3)
    assert [buckets.take("a") for _ in range(4)] == [0, 0, 0, 1]
    assert buckets.take("b") == 0
    clock.advance(0.5)
    assert buckets.take("a") == 0.5
    clock.advance(0.5)
    assert (buckets.take("a"), buckets.take("a")) == (0, 1)
    clock.advance(1000)
    assert [buckets.take("a") for _ in range(4)] == [0, 0, 0, 1]


def test_buckets_are_bounded() -> None:
    """However many clients come, so many are remembered."""
    buckets = TokenBuckets(ManualClock(), per_minute=60, burst=3, most_clients=100)
    for number in range(10_000):
        buckets.take(str(number))
    assert buckets.clients == 100
