"""The `Fetcher` port straight onto a bookmaker's server side, without a connection."""

from collections.abc import Callable, Mapping

import msgspec

from overround.errors import FetchError
from overround.ports import Clock, Refusal, SimulatedAnswer, SimulatedBookmaker
from overround.records.response import Response

Interceptor = Callable[[str, Mapping[str, str], bytes], bytes | FetchError | None]


class ReplayFetcher:
    """Asks a simulated bookmaker; what `intercept` returns for (path, parameters, body) goes before its answer."""

    def __init__(self, simulated: SimulatedBookmaker, clock: Clock, intercept: Interceptor | None = None) -> None:
        self._simulated = simulated
        self._clock = clock
        self._intercept = intercept
        self.requests: list[tuple[str, dict[str, str]]] = []

    async def get(
        self,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        subject: str = "",
        refusal: Refusal | None = None,
    ) -> Response:
        """Ask."""
        del subject
        return _accepted(self._answer("GET", path, params or {}, b""), refusal)

    async def post(
        self,
        path: str,
        *,
        json: object,
        params: Mapping[str, str] | None = None,
        subject: str = "",
        refusal: Refusal | None = None,
    ) -> Response:
        """Ask with a JSON body."""
        del subject
        return _accepted(self._answer("POST", path, params or {}, msgspec.json.encode(json)), refusal)

    def _answer(self, method: str, path: str, params: Mapping[str, str], body: bytes) -> Response:
        self.requests.append((path, dict(params)))
        found = self._intercept(path, params, body) if self._intercept else None
        if isinstance(found, FetchError):
            raise found
        answer = (
            self._simulated.answer(method, path, params, body)
            if found is None
            else SimulatedAnswer(status=200, body=found)
        )
        assert answer.status == 200, (path, answer)
        return Response(body=answer.body, received_at=self._clock.now(), duration_ms=0)


def _accepted(response: Response, refusal: Refusal | None) -> Response:
    error = refusal(response.body) if refusal else None
    if error is not None:
        raise error
    return response
