"""Plots as SVG: lines over a logarithmic axis, and bars along one."""

import math
from collections.abc import Iterator, Mapping, Sequence

Points = Sequence[tuple[float, float]]
Bars = Sequence[tuple[str, Mapping[str, float | None]]]

_WIDTH, _HEIGHT = 640, 380
_LEFT, _RIGHT, _TOP, _BOTTOM = 150, 150, 50, 60
_COLOURS = ("#1f5fa8", "#c2571a", "#2e7d4f", "#7a4fa0")
_TICKS = 5
_BAR, _GAP = 22, 14
_THOUSAND = 1000


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
        f'<g transform="translate(60 {(_TOP + _HEIGHT - _BOTTOM) / 2:.0f}) rotate(-90)">{_text(0, 0, y_label)}</g>',
        *frame.grid(sorted({x for x, _ in points})),
        *(part for index, (name, line) in enumerate(series.items()) for part in frame.line(index, name, line)),
    ]
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif">'
    return "\n".join([head, *body, "</svg>"]) + "\n"


def bar_plot(title: str, x_label: str, groups: Bars, missing: str) -> str:
    """Return groups of horizontal bars over a logarithmic axis that starts at 1.

    A group has a label and a value for each series; `missing` is written where there is none.
    """
    names = list(dict.fromkeys(name for _, bars in groups for name in bars))
    decades = math.ceil(math.log10(max(value or 1 for _, bars in groups for value in bars.values())))
    bottom = _TOP + len(groups) * (len(names) * _BAR + _GAP)
    axis = _Frame(low=0, high=decades, top=1)
    body = [
        f'<rect width="{_WIDTH}" height="{bottom + _BOTTOM}" fill="#ffffff"/>',
        _text(_WIDTH / 2, 26, title, size=16),
        _text((_LEFT + _WIDTH - _RIGHT) / 2, bottom + 44, x_label),
        *axis.decades(decades, bottom),
        *(part for index, group in enumerate(groups) for part in _bars(axis, index, group, names, missing)),
        *(_legend(index, name) for index, name in enumerate(names)),
    ]
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {bottom + _BOTTOM}" font-family="sans-serif">'
    )
    return "\n".join([head, *body, "</svg>"]) + "\n"


def _bars(
    axis: "_Frame", index: int, group: tuple[str, Mapping[str, float | None]], names: Sequence[str], missing: str
) -> Iterator[str]:
    label, values = group
    top = _TOP + index * (len(names) * _BAR + _GAP)
    yield _text(_LEFT - 8, top + len(names) * _BAR / 2 + 4, label, anchor="end")
    for place, name in enumerate(names):
        value, y, colour = values.get(name), top + place * _BAR, _COLOURS[place % len(_COLOURS)]
        end = axis.x(max(value, 1)) if value is not None else _LEFT
        yield f'<rect x="{_LEFT}" y="{y}" width="{end - _LEFT:.1f}" height="{_BAR - 3}" fill="{colour}"/>'
        shown = missing if value is None else f"{value:,.3g}" if value < _THOUSAND else f"{value:,.0f}"
        yield _text(end + 6, y + _BAR - 7, shown, anchor="start", colour=colour)


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

    def decades(self, number: int, bottom: float) -> Iterator[str]:
        for decade in range(number + 1):
            x = self.x(10**decade)
            yield f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{bottom}" stroke="#dddddd"/>'
            yield _text(x, bottom + 18, f"{10**decade:,}", size=10)

    def line(self, index: int, name: str, line: Points) -> Iterator[str]:
        colour = _COLOURS[index % len(_COLOURS)]
        places = [(self.x(x), self.y(y)) for x, y in line]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        yield f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
        yield from (f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>' for x, y in places)
        yield _legend(index, name)


def _legend(index: int, name: str) -> str:
    colour = _COLOURS[index % len(_COLOURS)]
    return _text(_WIDTH - _RIGHT + 12, _TOP + 16 + 20 * index, name, anchor="start", colour=colour)


def _nice(points: Points) -> float:
    """Return a round value not below the highest."""
    highest = max(y for _, y in points) or 1.0
    magnitude = 10.0 ** math.floor(math.log10(highest))
    return next(step * magnitude for step in (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10) if step * magnitude >= highest)


def _text(x: float, y: float, text: str, *, size: int = 12, anchor: str = "middle", colour: str = "#222222") -> str:
    escaped = text.replace("&", "&amp;").replace("<", "&lt;")
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" fill="{colour}">{escaped}</text>'
