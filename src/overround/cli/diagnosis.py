"""What is wrong with this installation: its settings, its service, and where none runs its database."""

import asyncio
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from typing import Any

from overround.api.operations.doctor import CRITICAL, OK, WARNING, CheckView, Diagnosis, disk_checks, worst
from overround.bookmakers.registry import configured_options, load_bookmakers, refuse_unknown_bookmakers
from overround.catalogue import load_catalogue
from overround.cli.database_access import database
from overround.cli.service_file import ask_service, stated_address
from overround.clock import SystemClock
from overround.db.dead_letters import DeadLetterRepository
from overround.db.inventory import Inventory, inventory
from overround.db.server_home import home_of
from overround.errors import OverroundError
from overround.settings import Settings
from overround.storage.disk_room import disk_room, places_of


def diagnosis() -> Mapping[str, Any]:
    """Return all checks: those of the running service beside those of this command's own settings."""
    settings = Settings()
    checks = [_settings_check(settings), *_service_checks(settings)]
    told = Diagnosis(checked_at=SystemClock().now(), version=version("overround"), state=worst(checks), checks=checks)
    facts: Mapping[str, Any] = told.model_dump(mode="json")
    return facts


def _settings_check(settings: Settings) -> CheckView:
    try:
        bookmakers = load_bookmakers()
        options = configured_options(bookmakers, settings.bookmakers)
        refuse_unknown_bookmakers(load_catalogue(settings.mapping_file), bookmakers)
    except OverroundError as error:
        return CheckView(part="settings", state=CRITICAL, text=str(error), remedy="docs/settings.md")
    if settings.reference not in options:
        text = f"the reference {settings.reference!r} is not installed: there are {', '.join(options)}"
        return CheckView(part="settings", state=CRITICAL, text=text, remedy="set OVERROUND_REFERENCE")
    on = [slug for slug, one in options.items() if one.enabled]
    return CheckView(part="settings", state=OK, text=f"they fit together; bookmakers: {', '.join(on) or 'none'}")


def _service_checks(settings: Settings) -> Iterator[CheckView]:
    try:
        answer = ask_service(settings.data_dir, "/api/doctor")
    except OverroundError as error:
        remedy = "a service that needs a key is asked with that of OVERROUND_API_KEY"
        yield CheckView(part="service", state=CRITICAL, text=str(error), remedy=remedy)
        return
    if answer is None:
        yield _absent(settings)
        yield from disk_checks(disk_room(places_of(settings)))
        yield _database_check(settings)
        return
    told = Diagnosis.model_validate(answer)
    yield _running(settings, told)
    yield from told.checks


def _absent(settings: Settings) -> CheckView:
    text = f"no service is running with the data directory {settings.data_dir}"
    if stated_address(settings.data_dir) is not None:
        text = f"{text}, and the last one did not end in order"
    return CheckView(part="service", state=WARNING, text=text, remedy="`overround serve`; or set OVERROUND_DATA_DIR")


def _running(settings: Settings, told: Diagnosis) -> CheckView:
    own, where = version("overround"), stated_address(settings.data_dir)
    if told.version == own:
        return CheckView(part="service", state=OK, text=f"{told.version} answers at {where}")
    text = f"the service at {where} is of release {told.version}, this command of {own}"
    return CheckView(part="service", state=WARNING, text=text, remedy="restart the service")


def _database_check(settings: Settings) -> CheckView:
    if settings.database_url is None and not home_of(settings.data_dir).cluster.exists():
        return CheckView(part="database", state=OK, text="there is none yet: the first start makes it")
    try:
        found, dead = asyncio.run(_stored())
    except OverroundError as error:
        return CheckView(part="database", state=CRITICAL, text=str(error), remedy="see OVERROUND_DATABASE_URL")
    if found.revision != found.head:
        text = f"its schema is {found.revision or 'empty'}, this release wants {found.head}"
        return CheckView(part="database", state=WARNING, text=text, remedy="`overround db upgrade`")
    text = f"schema {found.revision}, {found.size_bytes / 2**20:.0f} MiB, {found.events} events"
    if dead:
        remedy = "start the service, then `overround queue dead-letters`, and retry or drop them"
        return CheckView(part="database", state=WARNING, text=f"{text}, {dead} dead letters", remedy=remedy)
    return CheckView(part="database", state=OK, text=text)


async def _stored() -> tuple[Inventory, int]:
    async with database("overround doctor") as engine:
        found = await inventory(engine)
        kinds = await DeadLetterRepository(engine).kinds() if found.revision else {}
        return found, sum(kinds.values())
