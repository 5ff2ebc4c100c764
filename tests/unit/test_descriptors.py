"""How file descriptors are shared out: journal, database and fetchers first, whatever the limits."""

import resource

from hypothesis import given
from hypothesis import strategies as st

from overround.descriptors import MOST_STREAMS, raise_descriptor_limit, shared_out

GIB = 1 << 30


def test_the_usual_limits() -> None:
    """With 4,096 descriptors all streams are served; with 1,024 at least 700, and the reason is told."""
    plenty = shared_out(4096, 4096, journal_bytes=GIB, fetches=75)
    assert (plenty.streams, plenty.reason) == (MOST_STREAMS, "")
    few = shared_out(1024, 1024, journal_bytes=GIB, fetches=75)
    assert 700 <= few.streams < few.connections
    assert "1024" in few.reason
    assert str(few.reserved) in few.reason


@given(soft=st.integers(512, 1 << 31), journal=st.integers(1 << 20, GIB), fetches=st.integers(1, 500))
def test_the_shares_never_exceed_the_limit(soft: int, journal: int, fetches: int) -> None:
    """Reserve and connections fit into the limit; streams leave connections to other requests."""
    room = shared_out(soft, soft, journal_bytes=journal, fetches=fetches)
    assert room.reserved + room.connections <= soft
    assert 0 < room.streams < room.connections
    assert room.fetches >= min(fetches, 200)
    assert bool(room.reason) is (room.streams < MOST_STREAMS)


def test_the_soft_limit_is_raised_to_the_hard_one() -> None:
    """A process may raise its own soft limit as far as its hard one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 512), hard))
    assert raise_descriptor_limit() == (hard, hard)
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard)
