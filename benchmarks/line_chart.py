"""A chart of lines as SVG, readable on light and on dark pages; writes text and needs nothing."""
import html
import math
from collections.abc import Sequence
from typing import NamedTuple

WIDTH, HEIGHT = 720, 400
LEFT, RIGHT, TOP, BOTTOM = 64, 196, 44, 52  # margins; names of the lines stand at their right ends
_STYLE = """<style>
text { font: 13px sans-serif; fill: #24292f } .title { font-weight: bold; font-size: 15px } .small { font-size: 12px }
.grid { stroke: #d0d7de; stroke-width: 1 } .line { fill: none; stroke-width: 2.5 }
.c0 { stroke: #cf222e; fill: #cf222e } .c1 { stroke: #0969da; fill: #0969da } .c2 { stroke: #1a7f37; fill: #1a7f37 }
text.c0, text.c1, text.c2 { stroke: none } polyline.line { fill: none }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 } .grid { stroke: #3d444d }
.c0 { stroke: #ff7b72; fill: #ff7b72 } .c1 { stroke: #58a6ff; fill: #58a6ff } .c2 { stroke: #56d364; fill: #56d364 }
}
</style>"""


class Line(NamedTuple):
    """One line: (x, y) points, its name and a second line of text under it."""

    name: str
    note: str
    points: Sequence[tuple[float, float]]


def draw(title: str, across: str, up: str, lines: Sequence[Line]) -> str:
    """x from 0 on; y above 0, by powers of ten."""
    most = max(x for line in lines for x, _ in line.points)
    values = [y for line in lines for _, y in line.points]
    low, high = math.floor(math.log10(min(values)) * 2) / 2, math.ceil(math.log10(max(values)) * 2) / 2

    def place(x: float, y: float) -> tuple[float, float]:
        return (LEFT + (WIDTH - LEFT - RIGHT) * x / most,
                HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (math.log10(y) - low) / (high - low))

    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
             f"<title>{html.escape(title)}</title>", _STYLE, _text(LEFT, 24, title, "title"),
             _text(WIDTH - RIGHT, HEIGHT - 12, across, "small", "end"), _text(8, TOP - 4, up, "small")]
    for value in _ticks(low, high):
        y = place(0, value)[1]
        parts += [f'<path class="grid" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>',
                  _text(LEFT - 8, y + 4, f"{value:g}", "small", "end")]
    for x in sorted({x for line in lines for x, _ in line.points}):
        parts.append(_text(place(x, 10 ** low)[0], HEIGHT - BOTTOM + 20, f"{x:g}", "small", "middle"))
    for number, (line, label) in enumerate(zip(lines, _labels([place(*line.points[-1])[1] for line in lines]))):
        places = [place(*point) for point in line.points]
        parts.append(f'<polyline class="line c{number}" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in places)}"/>')
        parts += [f'<circle class="c{number}" cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>' for x, y in places]
        parts += [_text(WIDTH - RIGHT + 12, label, line.name, f"c{number}"),
                  _text(WIDTH - RIGHT + 12, label + 15, line.note, "small")]
    return "\n".join([*parts, "</svg>", ""])


def _ticks(low: float, high: float) -> list[float]:
    """1, 2, 5 times the powers of ten between."""
    return [digit * 10 ** power for power in range(math.floor(low), math.ceil(high) + 1) for digit in (1, 2, 5)
            if low - 1e-9 <= math.log10(digit) + power <= high + 1e-9]


def _labels(heights: Sequence[float], apart: float = 36) -> list[float]:
    """Heights of labels that stay clear of each other."""
    order = sorted(range(len(heights)), key=lambda i: heights[i])
    placed = {order[0]: heights[order[0]]}
    for above, here in zip(order, order[1:]):
        placed[here] = max(heights[here], placed[above] + apart)
    return [placed[i] for i in range(len(heights))]


def _text(x: float, y: float, text: str, kind: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}">{html.escape(text)}</text>'
