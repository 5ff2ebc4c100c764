"""A run of the real service with its calls recorded: what one scrape on demand and the page after it pass.

The simulator and the service are processes of their own, started by the command `overround`. After a first cycle the
market moves on by an hour, one event is scraped, and the first page of events and that event are asked for. In the
service a hook sees every call of a Python function of ours, from the request until six seconds after PostgreSQL has
the change. Functions that the service calls anyway in six idle seconds are left out: timers, watches, the clock.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from typing import IO, Any, NamedTuple, cast

PACKAGE = "overround"
_EVENTS = 20
_PERIOD = 6.0  # seconds: longer than the period of a timer, so that each fires when idle as well as after the commit
_COMMITTED = "write_batch_committed"
_PATIENCE = 60.0  # seconds
_MARK = "trace: "  # before an answer of the recorder, since the service writes lines of its own
_LOOKED_AT = 20  # items of one container


class Trace(NamedTuple):
    """What was passed: functions and files by path below the package, record types by dotted name."""

    functions: tuple[str, ...]
    records: tuple[str, ...]

    @property
    def files(self) -> tuple[str, ...]:
        """Return the files of which at least one function was entered."""
        return tuple(sorted({function.partition(":")[0] for function in self.functions}))

    def and_also(self, other: "Trace") -> "Trace":
        """Return what either passed."""
        return Trace(*(tuple(sorted({*mine, *more})) for mine, more in zip(self, other, strict=True)))

    def without(self, other: "Trace") -> "Trace":
        """Return what this passed, and the other did not."""
        return Trace(*(tuple(sorted({*mine} - {*more})) for mine, more in zip(self, other, strict=True)))


class Recorder:
    """Notes the functions of a folder that are called while it is switched on, and the records that they exchange."""

    def __init__(self, folder: Path) -> None:
        self._folder = f"{folder}{os.sep}"
        self._active = False
        self._codes: dict[Any, str] = {}
        self._records: dict[int, object] = {}
        self._older: dict[int, object] = {}

    def start(self, older: Iterable[object] = ()) -> None:
        """Begin anew; the `older` records do not count."""
        self._codes, self._records = {}, {}
        self._older = {id(record): record for record in older}
        self._active = True

    def stop(self) -> Trace:
        """Stop, and return what was noted."""
        self._active = False
        kinds = {f"{type(record).__module__}.{type(record).__qualname__}" for record in self._records.values()}
        return Trace(tuple(sorted(set(self._codes.values()) - {""})), tuple(sorted(kinds)))

    def hook(self, frame: FrameType, event: str, value: object) -> None:
        """Take a call or a return, as `sys.setprofile` reports them."""
        if not self._active or event not in {"call", "return"}:
            return
        code = frame.f_code
        if code not in self._codes:
            self._codes[code] = self._named(code.co_filename, code.co_qualname)
        if self._codes[code]:
            self._note((value,) if event == "return" else frame.f_locals.values())

    def _named(self, file: str, function: str) -> str:
        """Return how a function is written down; empty for other people's, for lambdas and comprehensions."""
        if not file.startswith(self._folder) or function.endswith(">"):
            return ""
        return f"{file.removeprefix(self._folder).replace(os.sep, '/')}:{function}"

    def _note(self, values: Iterable[object]) -> None:
        waiting = list(values)
        while waiting:
            value = waiting.pop()
            if not is_record(value):
                waiting += _items(value)
            elif id(value) not in self._records and id(value) not in self._older:
                self._records[id(value)] = value  # kept: another record may not take its address
                waiting += fields_of(value)


def is_record(value: object) -> bool:
    """Tell whether a value is a record of ours: a Struct, a named tuple, a dataclass or a pydantic model."""
    kind = type(value)
    marks = ("__struct_fields__", "_fields", "__dataclass_fields__", "model_fields")
    return str(kind.__module__).partition(".")[0] == PACKAGE and any(hasattr(kind, mark) for mark in marks)


def fields_of(record: object) -> Iterator[object]:
    """Yield what the fields of a record hold."""
    kind = type(record)
    for mark in ("__struct_fields__", "_fields", "__dataclass_fields__", "model_fields"):
        for name in getattr(kind, mark, ()):
            yield getattr(record, name, None)


def _items(value: object) -> Iterator[object]:
    if isinstance(value, Mapping):
        yield from [item for pair in list(value.items())[:_LOOKED_AT] for item in pair]
    elif isinstance(value, (list, tuple, set, frozenset)):
        yield from list(value)[:_LOOKED_AT]


def records_alive() -> list[object]:
    """Return the records that exist: those that the collector of cycles knows, and those that they lead to."""
    import gc  # noqa: PLC0415 - this is the only use

    gc.unfreeze()
    known: dict[int, object] = {}
    seen: set[int] = set()
    waiting: list[object] = gc.get_objects()
    while waiting:
        value = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if is_record(value):
            known[id(value)] = value
            waiting += fields_of(value)
        elif isinstance(value, (dict, list, tuple, set, frozenset)):
            waiting += gc.get_referents(value)
    return list(known.values())


def traced_scrape(events: int = _EVENTS) -> Trace:
    """Return the functions that a scrape of one event passes, and the records that it and the pages after it pass."""
    with (
        tempfile.TemporaryDirectory(prefix="overround-house-") as directory,
        _simulator(events) as bookmakers,
        _service(Path(directory), bookmakers) as service,
    ):
        _until(lambda: _asked(f"{service.address}/health/ready"), "the service did not become ready")
        run = _asked(f"{service.address}/api/scrape/start", "POST")["run_id"]
        _until(lambda: _asked(f"{service.address}/api/scrape/runs/{run}")["finished_at"], "no cycle ended")
        sr_id = _asked(f"{service.address}/api/events?limit=1")["events"][0]["sr_id"]
        control = next(iter(bookmakers.values())).rpartition("/")[0] + "/_control/advance"
        _asked(control, "POST", {"ticks": 12})
        time.sleep(_PERIOD)
        with service.traced() as idle:
            time.sleep(_PERIOD)
        with service.traced() as scrape:
            _asked(f"{service.address}/api/scrape/event/{sr_id}", "POST")
            service.await_line(_COMMITTED)
            time.sleep(_PERIOD)
        with service.traced() as page:
            _asked(f"{service.address}/api/events")
            _asked(f"{service.address}/api/events/{sr_id}")
    return Trace(scrape[0].without(idle[0]).functions, scrape[0].and_also(page[0]).records)


class _Service(NamedTuple):
    """The service under its hook: where it listens, and the pipes to its recorder."""

    address: str
    commands: IO[str]
    answers: IO[str]

    @contextmanager
    def traced(self) -> Iterator[list[Trace]]:
        """Record during a `with` block; the list has the trace afterwards."""
        found: list[Trace] = []
        self._say("start")
        yield found
        found.append(Trace(*map(tuple, json.loads(self._say("stop")))))

    def _say(self, word: str) -> str:
        self.commands.write(word + "\n")
        self.commands.flush()
        return self.await_line(_MARK).partition(_MARK)[2]

    def await_line(self, containing: str) -> str:
        """Return the service's next line of output that contains a text."""
        return next(line for line in self.answers if containing in line)


@contextmanager
def _simulator(events: int) -> Iterator[Mapping[str, str]]:
    """Run the simulated bookmakers; yield the address of each."""
    options = ("--port", "0", "--events", str(events), "--tick-seconds", "0", "--json")
    with _running((Path(sys.executable).with_name(PACKAGE), "simulate", *options), {}) as process:
        ready = json.loads(_object(_piped(process.stdout)))
        yield {slug: f"http://127.0.0.1:{ready['port']}/{slug}" for slug in ready["listings"]}


@contextmanager
def _service(data_dir: Path, bookmakers: Mapping[str, str]) -> Iterator[_Service]:
    """Run the service under the hook, without a schedule."""
    urls = {f"OVERROUND_BOOKMAKERS__{slug.upper()}__BASE_URL": url for slug, url in bookmakers.items()}
    given = {**urls, "OVERROUND_DATA_DIR": str(data_dir), "OVERROUND_SCHEDULE__ENABLED": "false"}
    with _running((sys.executable, "-m", "tools.house_trace"), given, subprocess.STDOUT) as process:
        file = data_dir / "service.json"
        _until(file.exists, "the service did not start")
        address = json.loads(file.read_text(encoding="utf-8"))["address"]
        yield _Service(address, _piped(process.stdin), _piped(process.stdout))


@contextmanager
def _running(
    command: Sequence[object], environment: Mapping[str, str], stderr: int = subprocess.DEVNULL
) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(  # noqa: S603 - our own programs
        [str(part) for part in command],
        env={**os.environ, **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(_PATIENCE)


def _piped(pipe: IO[str] | None) -> IO[str]:
    return cast("IO[str]", pipe)


def _object(lines: Iterable[str]) -> str:
    """Return the first JSON object of an output, which may run over several lines."""
    text = ""
    for line in lines:
        text += line
        if text.count("{") == text.count("}"):
            break
    return text


def _asked(url: str, method: str = "GET", body: object = None) -> Any:  # noqa: ANN401 - JSON
    content = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, content, {"Content-Type": "application/json"}, method=method)  # noqa: S310 - ours
    with urllib.request.urlopen(request, timeout=_PATIENCE) as response:  # noqa: S310 - as above
        return json.load(response)


def _until(holds: Any, otherwise: str) -> None:  # noqa: ANN401 - any truth
    end = time.monotonic() + _PATIENCE
    while not _holds(holds):
        if time.monotonic() > end:
            raise SystemExit(otherwise)
        time.sleep(0.05)


def _holds(holds: Any) -> bool:  # noqa: ANN401 - any truth
    try:
        return bool(holds())
    except (OSError, ValueError):
        return False


def _obey(recorder: Recorder) -> None:
    """Switch the recorder on and off as the lines on stdin say; the process ends with them."""
    try:
        for line in sys.stdin:
            if line.strip() == "start":
                recorder.start(records_alive())
                answer = "{}"
            else:
                answer = json.dumps(recorder.stop())
            sys.stdout.write(f"{_MARK}{answer}\n")
            sys.stdout.flush()
    finally:
        os._exit(1)


def main() -> None:
    """Run the command `overround serve` under a hook that stdin switches."""
    package = find_spec(PACKAGE)
    recorder = Recorder(Path(*(package.submodule_search_locations or ()))) if package is not None else None
    if recorder is None:
        raise SystemExit(f"{PACKAGE} is not installed")
    threading.Thread(target=_obey, args=(recorder,), daemon=True).start()
    threading.setprofile(recorder.hook)
    sys.setprofile(recorder.hook)
    (command,) = entry_points(group="console_scripts", name=PACKAGE)
    command.load()(["serve", "--port", "0"])


if __name__ == "__main__":
    main()
