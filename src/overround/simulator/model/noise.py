"""Random numbers that are functions of their names: the same on every machine, in any order, from any start."""

import zlib
from collections.abc import Sequence
from functools import lru_cache

_HEIGHTS_KEPT = 100_000
_MASK = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15
_UNIT = 2.0**-64
_QUARTER = 1 << 16
_SPREAD = 3**0.5 / _QUARTER


def stream(key: int, *names: int | str) -> int:
    """Return the key of the stream that belongs to these names below another stream."""
    for name in names:
        key = draw(key, zlib.crc32(name.encode()) if isinstance(name, str) else name)
    return key


def draw(key: int, number: int) -> int:
    """Return the stream's 64 bits of that number (splitmix64; numbers may be negative)."""
    bits = (key + number * _GOLDEN) & _MASK
    bits = ((bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    bits = ((bits ^ (bits >> 27)) * 0x94D049BB133111EB) & _MASK
    return bits ^ (bits >> 31)


def unit(key: int, number: int) -> float:
    """Return a number from 0 up to 1, evenly spread."""
    return draw(key, number) * _UNIT


def normal(key: int, number: int) -> float:
    """Return a number of mean 0 and standard deviation 1: four even ones added, so at most 3.5 away."""
    bits = draw(key, number)
    total = (bits & 0xFFFF) + (bits >> 16 & 0xFFFF) + (bits >> 32 & 0xFFFF) + (bits >> 48)
    return (total - 2 * _QUARTER) * _SPREAD


def paths(key: int, *names: int | str) -> tuple[int, ...]:
    """Return the streams of the paths that make up a wandering one."""
    return tuple(stream(key, *names, octave) for octave in range(len(_PERIODS)))


def wander(streams: Sequence[int], at: int) -> float:
    """Return the height of a random path at a tick: over n ticks it moves by about the square root of n.

    It is the sum of paths, one for each period in ticks, that go straight from one drawn height to the
    next; so any tick can be asked for without those before it.
    """
    height = 0.0
    for path, period, scale in zip(streams, _PERIODS, _SCALES, strict=True):
        place, part = divmod(at, period)
        here = _height(path, place)
        height += (here + (_height(path, place + 1) - here) * part / period) * scale
    return height


_height = lru_cache(_HEIGHTS_KEPT)(normal)  # the ticks of a match that are asked for lie between few of them
_PERIODS = (16, 64, 256, 1024)
_SCALES = tuple(period**0.5 for period in _PERIODS)
