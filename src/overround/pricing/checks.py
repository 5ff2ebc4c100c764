"""Whether an event's prices make sense: what a wrong mapping, a swapped outcome or a wrong sign would break.

All checks are pure functions of prices. A finding is a reason to look, not a proof: bookmakers make
mistakes, too.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import combinations, pairwise

import msgspec

from overround.catalogue import Catalogue
from overround.catalogue.composition import AND
from overround.pricing.probabilities import Priced, Quote, Quotes
from overround.records.odds import MarketKey, specifiers_text

# The least overround that is no surprise: below it somebody could bet on everything and win.
LEAST_OVERROUND = -0.02
# The greatest, by the number of outcomes: long lists such as correct scores carry a lot on their tails.
GREATEST_OVERROUND = ((2, 0.30), (9, 0.50), (10_000, 1.0))
# How far two bookmakers' fair probabilities of one outcome may lie apart.
AGREEMENT = 0.09
# How far one bookmaker's own related markets may lie apart, in probability.
CONSISTENCY = 0.05
# How many times as likely one may hold an outcome as the other where no fair probability is known.
LIKELINESS_RATIO = 2.5
# How far they may lie apart where their margins are still in them.
LIKE_PROBABILITIES = 0.15
# Long prices are rough: below this probability a difference says nothing.
ROUGH = 0.05
# Combinations carry more margin than their parts.
COMBINATION_MARGIN = 1.15


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Something about prices that should not be."""

    check: str
    bookmakers: tuple[str, ...]
    market: str
    specifiers: str
    detail: str


Check = Callable[[Quotes], Iterator[Finding]]


def check_event(prices: Mapping[str, Priced], catalogue: Catalogue) -> tuple[Finding, ...]:
    """Return all findings on one event's prices, by bookmaker."""
    books = {bookmaker: Quotes(bookmaker, found, catalogue) for bookmaker, found in prices.items()}
    own = [finding for quotes in books.values() for check in CHECKS for finding in check(quotes)]
    between = [finding for one, other in combinations(books.values(), 2) for finding in disagreements(one, other)]
    return (*own, *between)


def odd_overrounds(quotes: Quotes) -> Iterator[Finding]:
    """Find markets of a known probability sum whose overround is not plausible."""
    for quote in quotes:
        if quote.overround is None:
            continue
        greatest = next(most for outcomes, most in GREATEST_OVERROUND if len(quote.market.outcomes) <= outcomes)
        if not LEAST_OVERROUND <= quote.overround <= greatest:
            yield _finding("overround", quote, f"the overround is {quote.overround:.1%}")


def broken_order(quotes: Quotes) -> Iterator[Finding]:
    """Find prices that do not rise or fall with the line, the handicap or the number."""
    for specifier, risen, fallen in _MONOTONE:
        for row in _rows(quotes, specifier):
            for lower, higher in pairwise(row):
                yield from _out_of_order(lower, higher, risen, fallen)


def contradicted_double_chances(quotes: Quotes) -> Iterator[Finding]:
    """Find double chances that are not the sum of two results."""
    for quote in quotes:
        if quote.market.meaning.settles != "double_chance":
            continue
        for result in _same_specifiers(quotes.about(quote, "result"), quote):
            for pair in ("home_or_draw", "home_or_away", "draw_or_away"):
                one, _, other = pair.partition("_or_")
                yield from _differing(quote, quote.fair(pair), _sum(result.fair(one), result.fair(other)), pair)


def contradicted_signs(quotes: Quotes) -> Iterator[Finding]:
    """Find handicaps that favour the other side than their sign says, measured by the plain result."""
    for settles in ("handicap", "european_handicap"):
        for quote in quotes:
            if quote.market.meaning.settles == settles:
                yield from _wrong_sign(quotes, quote)


def contradicted_totals(quotes: Quotes) -> Iterator[Finding]:
    """Find sides that are likelier to exceed a line than the match as a whole."""
    for quote in quotes:
        meaning = quote.market.meaning
        if meaning.settles == "total" and meaning.side in ("home", "away"):
            for whole in _same_specifiers(quotes.about(quote, "total", "match"), quote):
                yield from _likelier(quote, quote.fair("over"), whole.fair("over"), f"over in {whole.key.market}")


def contradicted_parts(quotes: Quotes) -> Iterator[Finding]:
    """Find combinations that are likelier than one of their parts."""
    for quote in quotes:
        for place, part in enumerate(quote.market.parts):
            for single in _part_quotes(quotes, quote, part):
                yield from _likelier_than_part(quote, single, place)


def disagreements(one: Quotes, other: Quotes) -> Iterator[Finding]:
    """Find markets that two bookmakers price as if they were different bets."""
    for quote in one:
        theirs = other.get(quote.key)
        if theirs is not None:
            apart = [outcome for outcome in quote.market.outcomes if _apart(quote, theirs, outcome)]
            if apart:
                prices = ", ".join(f"{outcome} {_shown(quote, outcome)}/{_shown(theirs, outcome)}" for outcome in apart)
                yield _finding("agreement", quote, prices, theirs.bookmaker)


CHECKS: Sequence[Check] = (
    odd_overrounds,
    broken_order,
    contradicted_double_chances,
    contradicted_signs,
    contradicted_totals,
    contradicted_parts,
)

# By specifier: outcomes whose price rises with it, and outcomes whose price falls.
_MONOTONE = (
    ("line", frozenset({"over"}), frozenset({"under"})),
    ("handicap", frozenset({"away"}), frozenset({"home"})),
    ("at_least", frozenset({"yes"}), frozenset[str]()),
    ("minute", frozenset({"under"}), frozenset({"over"})),
)
_ORDERED = frozenset({"total", "handicap", "european_handicap", "at_least"})


def _rows(quotes: Quotes, specifier: str) -> Iterator[list[Quote]]:
    rows: dict[tuple[str, str], list[Quote]] = {}
    for quote in quotes:
        if specifier in quote.specifiers and quote.market.meaning.settles in _ORDERED:
            others = specifiers_text({name: at for name, at in quote.specifiers.items() if name != specifier})
            rows.setdefault((quote.key.market, others), []).append(quote)
    for row in rows.values():
        yield sorted(row, key=lambda quote: Decimal(quote.specifiers[specifier]))


def _out_of_order(lower: Quote, higher: Quote, risen: frozenset[str], fallen: frozenset[str]) -> Iterator[Finding]:
    for outcome in lower.market.outcomes:
        cheaper, dearer = (lower, higher) if outcome in risen else (higher, lower)
        first, second = cheaper.implied(outcome), dearer.implied(outcome)
        if outcome in risen | fallen and first is not None and second is not None and second > first * 1.02 + 0.005:
            yield _finding("order", higher, f"{outcome} against {lower.key.specifiers}")


def _wrong_sign(quotes: Quotes, quote: Quote) -> Iterator[Finding]:
    start = Decimal(quote.specifiers["handicap"])
    plain = [*quotes.about(quote, "result"), *quotes.about(quote, "winner")]
    for result in plain:
        shared = all(quote.specifiers.get(name) == at for name, at in result.specifiers.items())
        mine, theirs = quote.fair("home"), result.fair("home")
        if not shared or mine is None or theirs is None:
            continue
        if (start < 0 and mine > theirs + CONSISTENCY) or (start > 0 and mine < theirs - CONSISTENCY):
            yield _finding("sign", quote, f"home {mine:.1%}, without the handicap {theirs:.1%}")


def _same_specifiers(found: Sequence[Quote], quote: Quote) -> list[Quote]:
    return [other for other in found if other.key.specifiers == quote.key.specifiers]


def _part_quotes(quotes: Quotes, quote: Quote, part: str) -> Iterator[Quote]:
    for single in quotes:
        if single.key.market == part and single.specifiers.items() <= quote.specifiers.items():
            yield single


def _likelier_than_part(quote: Quote, single: Quote, place: int) -> Iterator[Finding]:
    for outcome in quote.market.outcomes:
        own = _part_outcome(outcome, place, quote)
        mine, whole = quote.fair(outcome), single.fair(own)
        if mine is None or whole is None:
            mine, whole = _without_margin(quote.implied(outcome)), single.implied(own)
        yield from _likelier(quote, mine, whole, f"{outcome}, {single.key.market}")


def _without_margin(implied: float | None) -> float | None:
    return None if implied is None else implied / COMBINATION_MARGIN


def _part_outcome(outcome: str, place: int, quote: Quote) -> str:
    """Return the outcome of one part within that of a combination; none where a part is one itself."""
    pieces = outcome.split(AND)
    return pieces[place] if len(pieces) == len(quote.market.parts) else ""


def _apart(quote: Quote, theirs: Quote, outcome: str) -> bool:
    mine, other = quote.fair(outcome), theirs.fair(outcome)
    if mine is not None and other is not None:
        return abs(mine - other) > AGREEMENT
    first, second = quote.implied(outcome), theirs.implied(outcome)
    if first is None or second is None or max(first, second) < ROUGH:
        return False
    return max(first, second) > LIKELINESS_RATIO * min(first, second) or abs(first - second) > LIKE_PROBABILITIES


def _differing(quote: Quote, mine: float | None, theirs: float | None, what: str) -> Iterator[Finding]:
    if mine is not None and theirs is not None and abs(mine - theirs) > CONSISTENCY:
        yield _finding("double_chance", quote, f"{what} {mine:.1%}, of the results {theirs:.1%}")


def _likelier(quote: Quote, mine: float | None, theirs: float | None, what: str) -> Iterator[Finding]:
    if mine is not None and theirs is not None and mine > theirs + CONSISTENCY:
        yield _finding("parts" if quote.market.parts else "totals", quote, f"{what}: {mine:.1%} above {theirs:.1%}")


def _sum(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one + other


def _shown(quote: Quote, outcome: str) -> str:
    implied = quote.implied(outcome)
    return "-" if implied is None else f"{1 / implied:.2f}"


def _finding(check: str, quote: Quote, detail: str, *others: str) -> Finding:
    key: MarketKey = quote.key
    return Finding(
        check=check,
        bookmakers=(quote.bookmaker, *others),
        market=key.market,
        specifiers=key.specifiers,
        detail=detail,
    )
