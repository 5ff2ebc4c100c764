"""What a browser complains about."""

from playwright.sync_api import ConsoleMessage, Page, Request, Response

_BAD = 400


class Watch:
    """Collects errors of the console, exceptions, refused and failed requests of a page."""

    def __init__(self, page: Page) -> None:
        self._found: list[str] = []
        self.excused: tuple[str, ...] = ()
        page.on("console", self._said)
        page.on("pageerror", lambda error: self._found.append(f"exception: {error}"))
        page.on("response", self._answered)
        page.on("requestfailed", self._failed)

    def found(self) -> list[str]:
        """Return the complaints, less what a test has excused."""
        return [text for text in self._found if not any(excuse in text for excuse in self.excused)]

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self._found.append(f"{message.type}: {message.text}")

    def _answered(self, response: Response) -> None:
        if response.status >= _BAD:
            self._found.append(f"{response.status}: {response.url}")

    def _failed(self, request: Request) -> None:
        # Leaving a page ends what it was still asking for.
        if request.failure != "net::ERR_ABORTED":
            self._found.append(f"failed: {request.url} {request.failure}")
