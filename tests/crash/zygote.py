"""Starts writer processes in milliseconds: everything is imported once, and every life is a fork of that.

The bench speaks to it in JSON lines: orders on its stdin, notices on its stdout. At the end of its
stdin it kills what is left, and ends.
"""

import asyncio
import gc
import os
import select
import signal
import sys
import traceback
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from tests.crash.writer import Plan, run

_ROOT = Path(__file__).resolve().parents[2]
_START_LIMIT = 30.0  # seconds
_END_LIMIT = 30.0


class _Order(msgspec.Struct, frozen=True, omit_defaults=True):
    plan: Plan | None = None
    pid: int = 0
    signal: int = 0


class _Notice(msgspec.Struct, frozen=True):
    pid: int
    status: int | None = None


class Life:
    """A writer process, as the bench sees it."""

    def __init__(self, zygote: "Zygote", pid: int) -> None:
        self.pid = pid
        self.ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._zygote = zygote

    async def lasts(self, seconds: float) -> bool:
        """Wait for the end at most so long; tell whether the process lives on."""
        await asyncio.wait({self.ended}, timeout=seconds)
        return not self.ended.done()

    def send(self, number: signal.Signals) -> None:
        """Send a signal; nothing happens where the process has ended."""
        self._zygote.order(_Order(pid=self.pid, signal=number))

    async def end(self, limit: float = _END_LIMIT) -> int:
        """Wait for the end, and return the exit code, or the negative signal that ended it.

        Raises:
            TimeoutError: it did not end within the limit, in seconds.
        """
        return await asyncio.wait_for(asyncio.shield(self.ended), limit)


class Zygote:
    """What forks the writers, as the bench sees it."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._lives: dict[int, Life] = {}
        self._begun: asyncio.Queue[Life] = asyncio.Queue()

    async def spawn(self, plan: Plan) -> Life:
        """Start a writer."""
        self.order(_Order(plan=plan))
        return await asyncio.wait_for(self._begun.get(), _START_LIMIT)

    def order(self, order: _Order) -> None:
        """Send an order."""
        assert self._process.stdin is not None
        self._process.stdin.write(msgspec.json.encode(order) + b"\n")

    async def listen(self) -> None:
        """Take notices until the zygote ends."""
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            notice = msgspec.json.decode(line, type=_Notice)
            if notice.status is None:
                self._lives[notice.pid] = life = Life(self, notice.pid)
                self._begun.put_nowait(life)
            else:
                self._lives.pop(notice.pid).ended.set_result(notice.status)


@asynccontextmanager
async def running_zygote() -> AsyncIterator[Zygote]:
    """Run a zygote; its writers end with it, and it ends with this process."""
    command = (sys.executable, "-m", "tests.crash.zygote")
    process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, cwd=_ROOT, start_new_session=True)
    zygote = Zygote(process)
    listener = asyncio.create_task(zygote.listen(), name="zygote notices")
    try:
        yield zygote
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await asyncio.wait_for(process.wait(), _END_LIMIT)
        await listener


def main() -> None:
    """Fork writers as ordered until stdin ends."""
    gc.freeze()  # the collector of a forked writer leaves the shared pages alone
    woken, wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake)
    children: set[int] = set()
    buffer = b""
    while True:
        ready, _, _ = select.select([0, woken], [], [])
        if woken in ready:
            os.read(woken, 4096)
            _reap(children)
        if 0 in ready:
            heard = os.read(0, 65536)
            if not heard:
                break
            *lines, buffer = (buffer + heard).split(b"\n")
            for line in lines:
                _obey(msgspec.json.decode(line, type=_Order), children)
    for pid in children:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _obey(order: _Order, children: set[int]) -> None:
    if order.plan is None:
        if order.pid in children:
            os.kill(order.pid, order.signal)
        return
    pid = os.fork()
    if pid == 0:
        _be_writer(order.plan)
    children.add(pid)
    _tell(_Notice(pid))


def _reap(children: set[int]) -> None:
    for pid in tuple(children):
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            children.remove(pid)
            _tell(_Notice(pid, os.waitstatus_to_exitcode(status)))


def _tell(notice: _Notice) -> None:
    os.write(1, msgspec.json.encode(notice) + b"\n")


def _be_writer(plan: Plan) -> None:
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    status = 1
    try:
        run(plan)
        status = 0
    except BaseException:
        traceback.print_exc()
        raise
    finally:
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    main()
