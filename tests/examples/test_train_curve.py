"""The curve of a training run."""
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from train.curve import draw, read_points, smoothed

RECIPE = Path(__file__).resolve().parents[2] / "examples" / "train"


def test_the_kept_run_is_drawn_as_it_was_committed(tmp_path):
    out = tmp_path / "curve.svg"
    subprocess.run([sys.executable, str(RECIPE / "curve.py"), str(RECIPE / "run"), "-o", str(out)], check=True)
    assert out.read_text() == (RECIPE / "run" / "curve.svg").read_text()
    lines = ElementTree.parse(out).getroot().findall("{http://www.w3.org/2000/svg}polyline")
    assert len(lines) == 2
    assert all(len(line.attrib["points"].split()) > 5 for line in lines)


def test_values_are_smoothed_backwards_only():
    assert smoothed([(1, 2.0), (2, 4.0), (3, 9.0)], 2) == [(1, 2.0), (2, 3.0), (3, 6.5)]


def test_a_run_that_was_never_measured_is_drawn_too(tmp_path):
    (tmp_path / "log.csv").write_text("step,rate,loss\n1,0.1,5\n2,0.1,4\n")
    assert "polyline" in draw(read_points(tmp_path / "log.csv", 2), [])
