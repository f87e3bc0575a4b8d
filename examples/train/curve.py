"""Draws a training run: its loss and the AP measured on the way.

    python examples/train/curve.py RUN -o curve.svg

RUN holds log.csv and dev.csv, as train.py leaves them.
"""

import argparse
import csv
import pathlib
from typing import List, Sequence, Tuple

Points = List[Tuple[float, float]]
WIDTH, HEIGHT, MARGIN = 640, 320, 44
SMOOTH = 10


def read_points(path: pathlib.Path, column: int) -> Points:
    """(step, value) of a column of a CSV file; a line that is no number is left out."""
    points = []
    for row in csv.reader(path.read_text(encoding="utf-8").splitlines()):
        if row and row[0].isdigit():
            points.append((float(row[0]), float(row[column])))
    return points


def smoothed(points: Points, window: int = SMOOTH) -> Points:
    """Means of the last `window` values.

    >>> smoothed([(1, 2.0), (2, 4.0)], 2)
    [(1, 2.0), (2, 3.0)]
    """
    values = [value for _, value in points]
    return [(step, sum(values[max(0, i + 1 - window):i + 1]) / min(window, i + 1))
            for i, (step, _) in enumerate(points)]


def draw(loss: Points, measured: Points) -> str:
    """An SVG with the loss on the left axis and the AP on the right one."""
    last = max(step for step, _ in loss)
    top = max(value for step, value in loss if step > last / 20)
    best = max([value for _, value in measured] or [1.0])
    lines = ['<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">'
             % (WIDTH, HEIGHT), '<rect width="100%" height="100%" fill="white"/>',
             _line([p for p in loss if p[0] > last / 20], last, top, "#777777"), _line(measured, last, best, "#c03020")]
    for x, y, colour, text in ((MARGIN, 20, "#777777", "loss, up to %.2f" % top),
                               (WIDTH - 190, 20, "#c03020", "AP on the dev photographs, up to %.3f" % best),
                               (WIDTH - 90, HEIGHT - 12, "#000000", "%d steps" % last)):
        lines.append('<text x="%d" y="%d" fill="%s">%s</text>' % (x, y, colour, text))
    lines.append('<path d="M%d %d V%d H%d" fill="none" stroke="black"/>'
                 % (MARGIN, MARGIN, HEIGHT - MARGIN, WIDTH - MARGIN))
    return "\n".join([*lines, "</svg>", ""])


def _line(points: Sequence[Tuple[float, float]], last: float, top: float, colour: str) -> str:
    places = ["%.1f,%.1f" % (MARGIN + (WIDTH - 2 * MARGIN) * step / last,
                             HEIGHT - MARGIN - (HEIGHT - 2 * MARGIN) * value / top) for step, value in points]
    return '<polyline points="%s" fill="none" stroke="%s" stroke-width="1.5"/>' % (" ".join(places), colour)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=pathlib.Path)
    parser.add_argument("-o", "--output", type=pathlib.Path, required=True)
    args = parser.parse_args()
    svg = draw(smoothed(read_points(args.run / "log.csv", 2)), read_points(args.run / "dev.csv", 1))
    args.output.write_text(svg, encoding="utf-8")


if __name__ == "__main__":
    main()
