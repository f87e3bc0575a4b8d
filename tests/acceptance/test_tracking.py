"""A man who somersaults off a roof in front of the sun, and a woman who walks past: two numbers, whatever happens."""
import pathlib

import numpy as np
import pytest

from wholebody.cli.export import main as export
from wholebody.runtime.estimator import open_estimator
from wholebody.runtime.pipeline import PipelineOptions, run_pipeline
from wholebody.runtime.sinks import Sink
from wholebody.runtime.sources import open_source
from wholebody.runtime.tracking import TrackOptions

SHARED = pathlib.Path(__file__).resolve().parents[2].parent / "shared" / "assets"
VIDEO = SHARED / "video" / "sports2d_demo.mp4"
WEIGHTS = SHARED / "weights" / "human-pose-estimation-0001.fp32.onnx"
# Made by hand, looking at the frames: about where each person's middle is, in pixels from the left.
MAN = {0: 650, 40: 645, 80: 635, 120: 720, 140: 785, 200: 1165, 220: 1450}
WOMAN = {40: 1550, 80: 1230, 120: 835, 140: 615, 160: 430, 170: 305, 180: 205, 190: 95}
NEAR = 70  # pixels
pytestmark = pytest.mark.skipif(not (VIDEO.is_file() and WEIGHTS.is_file()),
                                reason="needs the video and the network of %s" % SHARED)


class Numbers(Sink):
    """Who was where in each frame: {index: [(number, x)]}."""

    def __init__(self):
        self.found = {}

    def write(self, frame, result, details):
        poses = result.poses
        middles = poses.boxes_xyxy[:, [0, 2]].mean(axis=1)
        self.found[frame.index] = [(int(number), float(x)) for number, x in zip(poses.ids, middles) if number >= 0]


@pytest.mark.long  # a minute of a busy core
def test_two_people_have_two_numbers_and_never_change_them(tmp_path):
    pytest.importorskip("av", reason="reads the video's rate")
    assert export(["card", str(WEIGHTS), "--preset", "omz-human-pose", "-o", str(tmp_path / "omz.onnx")]) == 0
    numbers = Numbers()
    with open_source(str(VIDEO)) as source, open_estimator(str(tmp_path / "omz.onnx")) as estimate:
        run_pipeline(source, estimate, [numbers], PipelineOptions(track=TrackOptions()))
    assert len(numbers.found) == 230
    given = {number for found in numbers.found.values() for number, _ in found}
    assert len(given) == 2, given
    known = []
    for person in (MAN, WOMAN):
        there = {number for index, x in person.items()
                 for number, where in numbers.found[index] if abs(where - x) < NEAR}
        seen = sum(any(abs(where - x) < NEAR for _, where in numbers.found[index]) for index, x in person.items())
        assert len(there) == 1, there
        assert seen >= len(person) - 1 - (person is MAN)  # the first frame has no numbers yet
        known.append(there.pop())
    assert known[0] != known[1]
    assert np.mean([len(found) for found in numbers.found.values()]) > 1.3
