"""What SportyBet's `bizCode` means where it is not success."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from overround.bookmakers.decoding import decode_or_none
from overround.bookmakers.refusals import Meaning, error_for, meaning_of
from overround.bookmakers.sportybet.wire import SLUG
from overround.errors import FetchError

OK: Final = 10_000
_INVALID: Final = 19_000
_BUSY: Final = 19_999
_MEANINGS: Final[Mapping[int, Meaning]] = MappingProxyType({_INVALID: Meaning.REFUSED, _BUSY: Meaning.BUSY})
# Asked for an event by its id, "Invalid" is about the id: the site has forgotten it.
_EVENT_MEANINGS: Final[Mapping[int, Meaning]] = MappingProxyType({**_MEANINGS, _INVALID: Meaning.GONE})
_EVENT: Final = "event"
