"""Where a house rule does not hold, and why; supervision points that are not needed are reported."""

from collections.abc import Mapping
from types import MappingProxyType

# Where one failure must not end the service: "path below src/overround:qualified name" -> reason.
SUPERVISION_POINTS: Mapping[str, str] = MappingProxyType(
    {
        "api/events/encoder.py:EventEncoder._encode": "one event's fault does not keep the others from being encoded",
        "bookmakers/kit/league_discovery.py:_answer": "one league's fault does not end the discovery of the others",
        "bookmakers/kit/league_discovery.py:_read_entry": "one list entry's fault costs that entry",
        "upkeep/integrity.py:IntegrityCheck.run_quietly": "a database that is away is no finding",
        "upkeep/maintenance.py:Maintenance.run": "upkeep that fails is tried again at the next round",
        "scraping/discovery.py:ListingResolver._look_up": "one listing's body does not end the cycle",
        "scheduling/repetition.py:Repetition._run_job": "a job that fails runs again at its next turn",
        "scraping/discovery.py:_discover_one": "one bookmaker's fault does not stop the others' discovery",
        "scraping/event_coordinator.py:EventCoordinator._store_or_count": "what was not stored counts as changed again",
        "scraping/event_coordinator.py:EventCoordinator._write_or_count": "what is owed is written with the next batch",
        "scraping/event_coordinator.py:EventCoordinator._cycle": "a run always ends, and says how",
        "scraping/event_scrape.py:scrape_listing": "one event's fault does not cost the batch",
        "scraping/start_up.py:WarmUp._warm_later": "the database may go away again while it is read",
        "scraping/rewriting.py:StateRewriter._listen": "the journal's disk may refuse for a while: it is tried again",
        "storage/held_rows.py:HeldRows._keep": "rows that cannot be tried now are tried at the next look",
        "storage/attempts.py:Attempts.at_last": "a write may fail in any way; the worker tries again",
    }
)

# Imports inside a function outside of cli/: "path below src/overround:qualified name" -> reason.
LATE_IMPORTS: Mapping[str, str] = MappingProxyType(
    {"db/migrate.py:upgrade": "Alembic takes half a second to load, and at most starts there is nothing to migrate"}
)

# Tests that sleep, skip or are expected to fail: "path below tests:function" -> reason.
TEST_EXCEPTIONS: Mapping[str, str] = MappingProxyType(
    {"browser/conftest.py:pytest_collection_modifyitems": "where no Chromium can be had, one skip says so, loudly"}
)
