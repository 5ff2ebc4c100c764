"""A bookmaker's server that a test scripts."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from overround.fetching.http import HttpFetcher, RetryPolicy

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Make = Callable[..., HttpFetcher]
USER_AGENT = "overround-test/1 (desk@example.org)"
MAX_BYTES = 50_000
ONCE = RetryPolicy(attempts=1)


class Bookmaker:
    """A server that gives scripted answers in turn, the last one for ever, and keeps the requests."""

    def __init__(self) -> None:
        self.answers: list[Handler] = []
        self.requests: list[web.Request] = []
        self.bodies: list[bytes] = []
        self.base_url = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Give the next answer."""
        self.requests.append(request)
        self.bodies.append(await request.read())
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return await answer(request)

    def will(self, *answers: web.Response | Handler) -> None:
        """Set the answers: responses to copy, or handlers."""
        self.answers = [_copies(answer) if isinstance(answer, web.Response) else answer for answer in answers]


def _copies(response: web.Response) -> Handler:
    async def handler(_: web.Request) -> web.StreamResponse:
        return web.Response(status=response.status, headers=response.headers, body=response.body)

    return handler


def answer(body: bytes = b'{"a":1}', *, status: int = 200, **headers: str) -> web.Response:
    """Return a JSON answer."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return web.Response(status=status, body=body, headers={"content-type": "application/json", **named})
