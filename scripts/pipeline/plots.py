"""Line plots as SVG, with both axes logarithmic or starting at nothing."""

import math
from collections.abc import Iterator, Mapping, Sequence

Points = Sequence[tuple[float, float]]

_WIDTH, _HEIGHT = 640, 380
_LEFT, _RIGHT, _TOP, _BOTTOM = 80, 150, 50, 60
_COLOURS = ("#1f5fa8", "#c2571a", "#2e7d4f", "#7a4fa0")
_TICKS = 5


def line_plot(title: str, x_label: str, y_label: str, series: Mapping[str, Points]) -> str:
    """Return a plot of lines over a logarithmic x axis; the y axis starts at 0."""
    points = [point for line in series.values() for point in line]
    frame = _Frame(
        low=math.log10(min(x for x, _ in points)), high=math.log10(max(x for x, _ in points)), top=_nice(points)
    )
    body = [
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>',
        _text(_WIDTH / 2, 26, title, size=16),
        _text((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 14, x_label),
        f'<g transform="translate(20 {(_TOP + _HEIGHT - _BOTTOM) / 2:.0f}) rotate(-90)">{_text(0, 0, y_label)}</g>',
        *frame.grid(sorted({x for x, _ in points})),
        *(part for index, (name, line) in enumerate(series.items()) for part in frame.line(index, name, line)),
    ]
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif">'
    return "\n".join([head, *body, "</svg>"]) + "\n"


class _Frame:
    """Where values are on the page."""

    def __init__(self, *, low: float, high: float, top: float) -> None:
        self._low = low
        self._width = max(high - low, 1e-9)
        self._top = top

    def x(self, value: float) -> float:
        return _LEFT + (math.log10(value) - self._low) / self._width * (_WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        return _HEIGHT - _BOTTOM - value / self._top * (_HEIGHT - _TOP - _BOTTOM)

    def grid(self, xs: Sequence[float]) -> Iterator[str]:
        for step in range(_TICKS + 1):
            value = self._top * step / _TICKS
            y = self.y(value)
            yield f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#dddddd"/>'
            yield _text(_LEFT - 8, y + 4, f"{value:,g}", anchor="end")
        shown = [x for index, x in enumerate(xs) if not index or self.x(x) - self.x(xs[index - 1]) > 1]
        for x in shown:
            yield _text(self.x(x), _HEIGHT - _BOTTOM + 18, f"{x:,.0f}", size=10)

    def line(self, index: int, name: str, line: Points) -> Iterator[str]:
        colour = _COLOURS[index % len(_COLOURS)]
        places = [(self.x(x), self.y(y)) for x, y in line]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        yield f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
        yield from (f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>' for x, y in places)
        yield _text(_WIDTH - _RIGHT + 12, _TOP + 16 + 20 * index, name, anchor="start", colour=colour)


def _nice(points: Points) -> float:
    """Return a round value not below the highest."""
    highest = max(y for _, y in points) or 1.0
    magnitude = 10.0 ** math.floor(math.log10(highest))
    return next(step * magnitude for step in (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10) if step * magnitude >= highest)


def _text(x: float, y: float, text: str, *, size: int = 12, anchor: str = "middle", colour: str = "#222222") -> str:
    escaped = text.replace("&", "&amp;").replace("<", "&lt;")
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" fill="{colour}">{escaped}</text>'
