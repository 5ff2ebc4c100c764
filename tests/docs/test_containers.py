"""The Dockerfile and the compose file name only what exists: neither is run by the checks of this project."""

import fnmatch
import json
import re
import shlex
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml  # type: ignore[import-untyped]

from overround.api.app import create_app
from overround.cli.main import app
from overround.cli.web_server import SHUTDOWN_SECONDS
from overround.settings import QueueSettings, Settings

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
COMPOSE: Mapping[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: Mapping[str, Mapping[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"] == "overround"}


def instructions(name: str) -> Iterator[str]:
    """Yield the arguments of an instruction of the Dockerfile, wherever it stands."""
    for line in DOCKERFILE.replace("\\\n", " ").splitlines():
        if line.startswith(name + " "):
            yield line.removeprefix(name).strip()


def ignored(path: str) -> bool:
    """Tell whether .dockerignore keeps a path from the build: the last pattern that fits decides."""
    out = False
    for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines():
        pattern = line.removeprefix("!")
        if line and not line.startswith("#") and (fnmatch.fnmatch(path, pattern) or path.startswith(pattern + "/")):
            out = not line.startswith("!")
    return out


def variables(name: str) -> list[str]:
    """Return the settings that a service of the compose file is given."""
    return [variable for variable in SERVICES[name].get("environment", {}) if variable.startswith("OVERROUND_")]


def test_what_is_copied_exists() -> None:
    """Every source of a COPY is in the repository, and is not kept from the build."""
    sources = [one for line in instructions("COPY") if not line.startswith("--from") for one in line.split()[:-1]]
    assert len(sources) > 5
    for source in sources:
        assert (ROOT / source).exists(), source
        assert not ignored(source.rstrip("/")), source
    assert ignored("tests")
    assert ignored("web/node_modules")


def test_stages_are_named_before_they_are_copied_from() -> None:
    """Every COPY --from names an earlier stage."""
    stages = [line.partition(" AS ")[2] for line in instructions("FROM")]
    copied = [found[1] for line in instructions("COPY") if (found := re.match(r"--from=(\S+)", line))]
    assert copied
    assert set(copied) <= set(stages[:-1])


def test_the_page_is_built_to_where_it_is_copied_from() -> None:
    """What the page's build writes is what the wheel takes up."""
    assert 'outDir: "../src/overround/web/static"' in (ROOT / "web" / "vite.config.ts").read_text(encoding="utf-8")
    assert "--from=web /build/src/overround/web/static/ src/overround/web/static/" in list(instructions("COPY"))


def test_it_runs_as_a_user_of_its_own() -> None:
    """Neither root nor a name that only the image knows, with its data in a volume."""
    assert list(instructions("USER")) == ["10001:10001"]
    assert "--uid 10001" in DOCKERFILE
    assert list(instructions("VOLUME")) == ["/data"]
    assert "OVERROUND_DATA_DIR=/data" in next(instructions("ENV"), "") + DOCKERFILE


def test_the_image_runs_a_command_of_ours() -> None:
    """Entry point and command exist, and the probe asks a path that the service has."""
    assert json.loads(next(instructions("ENTRYPOINT"))) == ["overround"]
    assert parsed(json.loads(next(instructions("CMD")))) == "serve"
    probe = re.search(r"http://127\.0\.0\.1:8000(/[a-z/]+)", next(instructions("HEALTHCHECK")))
    assert probe is not None
    assert probe[1] in create_app().openapi()["paths"]
    assert next(instructions("EXPOSE")) == "8000"


def test_images_are_those_of_the_common_registry() -> None:
    """Base images are named without a host, each with a version."""
    built = [line.split()[0] for line in instructions("FROM")]
    for image in (*built, *(one["image"] for one in SERVICES.values() if "build" not in one)):
        assert re.fullmatch(r"[a-z]+:[0-9][a-z0-9.-]*", image), image


@pytest.mark.parametrize("name", OURS)
def test_settings_of_the_compose_file_are_settings(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every variable is taken, with the value that stands there."""
    for variable in variables(name):
        value = re.sub(r"\$\{[^}]*\}", "word", OURS[name]["environment"][variable])
        monkeypatch.setenv(variable, value)
    assert isinstance(Settings(), Settings)


@pytest.mark.parametrize("name", OURS)
def test_services_have_time_to_stop(name: str) -> None:
    """Before it is killed, a service may end its requests, empty its queue, and stop its database."""
    needed = QueueSettings().stop_deadline + timedelta(seconds=SHUTDOWN_SECONDS)
    assert seconds(OURS[name]["stop_grace_period"]) > needed.total_seconds() + 30
    assert OURS[name].get("read_only") is True


def test_commands_of_the_compose_file_exist() -> None:
    """A service that runs another command than the image's runs one with options that it has."""
    commands = {name: one["command"] for name, one in OURS.items() if "command" in one}
    assert {name: parsed(command) for name, command in commands.items()} == {"simulator": "simulate"}
    port = commands["simulator"][commands["simulator"].index("--port") + 1]
    bases = [value for name, value in OURS["demo"]["environment"].items() if name.endswith("BASE_URL")]
    assert {base.rpartition("/")[0] for base in bases} == {f"http://127.0.0.1:{port}"}


def test_volumes_are_declared_and_ports_stay_on_the_machine() -> None:
    """No volume without a declaration; nothing is published beyond the loopback interface."""
    used = {volume.partition(":")[0] for one in SERVICES.values() for volume in one.get("volumes", ())}
    assert used == set(COMPOSE["volumes"])
    published = [port for one in SERVICES.values() for port in one.get("ports", ())]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


def parsed(arguments: list[str]) -> str:
    """Return the command's name, having parsed its options."""
    group = typer.main.get_command(app)
    assert hasattr(group, "commands")
    command = group.commands[arguments[0]]
    command.make_context(shlex.join(arguments), list(arguments[1:]))
    return arguments[0]


def seconds(text: str) -> float:
    """Return the seconds of a duration such as 90s."""
    assert text.endswith("s")
    return float(text.removesuffix("s"))
