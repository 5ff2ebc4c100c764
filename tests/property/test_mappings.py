"""Every entry of every mapping that ships, written to the wire and read back."""

from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overround.bookmakers.mapping.bookmaker_mapping import Entry, MarketMapping, Split, Target, load_mappings
from overround.bookmakers.mapping.wire_forms import own_names, wire_market
from overround.catalogue import Catalogue, SpecifierKind, load_catalogue
from overround.records.odds import MarketKey, canonical_line, specifiers_text

BOOKMAKERS = ("betpawa", "sportybet", "bet9ja")
CATALOGUE: Catalogue = load_catalogue()
MAPPINGS: Mapping[str, Mapping[str, MarketMapping]] = {
    slug: load_mappings(f"overround.bookmakers.{slug}", CATALOGUE) for slug in BOOKMAKERS
}
ENTRIES = [
    (slug, sport, entry)
    for slug, mappings in MAPPINGS.items()
    for sport, mapping in mappings.items()
    for entry in mapping
]

LINES = st.integers(-40, 200).map(lambda quarters: canonical_line(str(quarters / 4)))
COUNTS = st.integers(1, 99).map(str)
VALUES: Mapping[SpecifierKind, st.SearchStrategy[str]] = {
    SpecifierKind.DECIMAL: LINES,
    SpecifierKind.HANDICAP: LINES,
    SpecifierKind.COUNT: COUNTS,
    SpecifierKind.SCORE: st.tuples(st.integers(0, 9), st.integers(0, 9)).map(lambda score: f"{score[0]}:{score[1]}"),
    SpecifierKind.NAME: st.sampled_from(["jo-doe", "max-o-roe", "adriano"]),
    SpecifierKind.WORD: st.sampled_from(["home", "away"]),
}


def specifiers_of(entry: Entry) -> st.SearchStrategy[dict[str, str]]:
    """Return specifiers that a key of the entry's market may have."""
    market = CATALOGUE.market(entry.market)
    return st.fixed_dictionaries(
        {
            name: st.just(entry.fixed[name]) if name in entry.fixed else VALUES[CATALOGUE.specifier_kind(name)]
            for name in market.specifiers
        }
    )


@pytest.mark.parametrize(("slug", "sport"), [(slug, sport) for slug in BOOKMAKERS for sport in MAPPINGS[slug]])
def test_what_is_written_is_read_back(slug: str, sport: str, subtests: pytest.Subtests) -> None:
    """Key and outcome of every selection survive the way to the wire and back: nothing lost, nothing swapped.

    Each entry is a subtest, so that a failure names all entries that are wrong.
    """
    for mapped in MAPPINGS[slug][sport]:
        with subtests.test(mapped.market, id=mapped.id):
            assert_entry_survives(slug, sport, mapped)


def assert_entry_survives(slug: str, sport: str, mapped: Entry) -> None:
    """Try an entry with several specifiers."""

    @settings(max_examples=5, deadline=None)
    @given(specifiers=specifiers_of(mapped))
    def survives(specifiers: dict[str, str]) -> None:
        assert_survives(slug, sport, mapped, specifiers)

    survives()


def assert_survives(slug: str, sport: str, mapped: Entry, specifiers: Mapping[str, str]) -> None:
    """Write one market with the given specifiers, and read every selection back."""
    own = dict.fromkeys(own_names(mapped), "7")
    written = wire_market(mapped, specifiers, own)
    assert written is not None
    key = MarketKey(mapped.market, specifiers_text(specifiers))
    outcomes = CATALOGUE.market(mapped.market).outcomes
    route = MAPPINGS[slug][sport].route(written.id, written.specifiers)
    for outcome, selection in written.selections.items():
        found = place(route, selection.id, selection.label)
        assert found == (key, outcomes.index(outcome))


def place(route: Target | Split | None, outcome: str, label: str) -> tuple[MarketKey, int]:
    """Return the key and the slot that a selection is read to."""
    assert route is not None
    if isinstance(route, Target):
        return route.key, route.slots[outcome]
    found = route.place(outcome, label)
    assert found is not None
    return found[0].key, found[1]


def test_a_key_of_another_line_has_no_form_in_an_entry_that_implies_one() -> None:
    """An entry that is for the first quarter writes no market of the second."""
    entry = next(entry for _, _, entry in ENTRIES if entry.fixed == {"quarter": "1"} and not entry.specifiers)
    assert wire_market(entry, {"quarter": "2"}, {}) is None


def test_every_market_of_the_catalogue_is_offered_by_somebody() -> None:
    """A market that no mapping leads to would be dead."""
    mapped = {entry.market for _, _, entry in ENTRIES}
    assert [market.key for market in CATALOGUE if market.key not in mapped] == []
