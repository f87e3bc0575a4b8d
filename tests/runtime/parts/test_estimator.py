"""Bodies, faces and hands together, with networks that are fakes but strict: they see dots in the picture."""
import time

import numpy as np
import pytest
from fake_parts import FACE, HAND, FakeBodies, FakeDots, bodies, dot

from wholebody.card import CropRule
from wholebody.errors import CardError
from wholebody.poses import Frame
from wholebody.runtime.parts.crops import scales_of
from wholebody.runtime.parts.estimator import ComposedEstimator, PartOptions, check_options
from wholebody.runtime.parts.network import PartNetwork
from wholebody.runtime.parts.opening import open_whole
from wholebody.runtime.pipeline import Feed, PipelineOptions, run_feeds
from wholebody.runtime.sinks import Sink
from wholebody.runtime.sources.base import Source
from wholebody.runtime.topdown.choosing import choose_backend
from wholebody.skeletons import get_skeleton

PLACES = ((100, 90), (420, 90), (250, 330))
# Where the dots are: of the face, the left hand and the right hand of each person of twice PERSON's size.
DOTS = {"face": ((-10, -66), (10, -60)), "left_": ((150, 16), (160, 20)), "right_": ((-76, 92), (-78, 104))}


def picture(places=PLACES, parts=tuple(DOTS), size=(470, 620)):
    image = np.full(size + (3,), 90, np.uint8)
    for place in places:
        for part in parts:
            for channel, offset in zip((2, 1), DOTS[part]):
                dot(image, np.add(place, offset), channel)
    return image


def network(kind, crop=None, scales=(1.0,), backend="auto", body="COCO_18", **engine):
    skeleton = FACE if kind == "face" else HAND
    return PartNetwork(kind, FakeDots(skeleton, dict({"kind": kind}, **(crop or {})), **engine), get_skeleton(body),
                       choose_backend(backend), scales)


def composed(people=None, face=None, hands=None, whole_body="", **options):
    people = bodies(PLACES, 2.0) if people is None else people
    body = people.skeleton.name
    return ComposedEstimator(FakeBodies(people), [network("face", face, body=body, **options),
                                                  network("hand", hands, body=body, **options)], whole_body)


def expected(part, place):
    return [np.add(place, offset) for offset in DOTS[part]]


def check(poses, places=PLACES, parts=tuple(DOTS), atol=1.5):
    names = {"face": ("face_0", "face_1"), "left_": ("left_hand_root", "left_middle_1"),
             "right_": ("right_hand_root", "right_middle_1")}
    for person, place in enumerate(places):
        for part in DOTS:
            indices = [poses.skeleton.index_of(name) for name in names[part]]
            if part in parts:
                np.testing.assert_allclose(poses.keypoints[person, indices], expected(part, place), atol=atol)
                assert (poses.scores[person, indices] > 0).all()
            else:
                assert (poses.scores[person, indices] == 0).all()


RULES = [
    ("as they are", {}, {}),
    ("left hands mirrored", {}, {"mirrored": True}),
    ("turned", {"turned": True}, {"turned": True}),
    ("turned and mirrored", {}, {"turned": True, "mirrored": True}),
    ("larger and moved", {"scale": 1.3, "shift": [0.1, -0.1]}, {"scale": 1.2, "shift": [0.0, -0.1], "turned": True}),
    ("looked at again", {"again": 4.0}, {"again": 5.0, "turned": True}),
]


@pytest.mark.parametrize("face, hands", [case[1:] for case in RULES], ids=[case[0] for case in RULES])
@pytest.mark.parametrize("backend", ["numpy", "auto"])
def test_every_dot_is_found_where_it_was_drawn(face, hands, backend):
    with composed(face=face, hands=hands, backend=backend) as estimate:
        poses = estimate(picture())
        check(poses)
        np.testing.assert_array_equal(poses.keypoints[:, :18], bodies(PLACES, 2.0).keypoints)
        assert [stage.name for stage in estimate.stages] == ["bodies", "part-crops", "face", "hands", "whole"]


def test_left_hands_really_go_in_mirrored_and_upright():
    """The wrist is below the fingers in every crop that is turned; in a mirrored one left is right."""
    seen = {}
    for mirrored in (False, True):
        with composed(hands={"turned": True, "mirrored": mirrored}) as estimate:
            estimate(picture())
            seen[mirrored] = estimate.parts[1].engine.seen[:2]
    for crop in seen[True] + seen[False]:
        rows = [np.argwhere(crop[channel] - crop[other] > 50)[:, 0].mean() for channel, other in ((2, 1), (1, 2))]
        assert rows[0] > rows[1] + 2  # the wrist is red
    np.testing.assert_allclose(seen[True][0][:, :, 1:], seen[False][0][:, :, :0:-1], atol=2)
    np.testing.assert_array_equal(seen[True][1], seen[False][1])


@pytest.mark.parametrize("count", [0, 1, 40])
@pytest.mark.parametrize("limit", [None, 1, 3])
def test_all_of_a_frame_go_through_together_as_many_as_the_network_takes(count, limit):
    people = bodies([(100, 90)] * count, 2.0)
    with composed(people, limit=limit) as estimate:
        poses = estimate(picture(places=[(100, 90)]))
        assert len(poses) == count
        check(poses, [(100, 90)] * count)
        most = limit or 16
        for part, crops in zip(estimate.parts, (count, 2 * count)):
            assert part.engine.batches == [most] * (crops // most) + [crops % most] * bool(crops % most)


GONE = [
    ("no wrist", ["left_wrist"], ["face", "right_"]), ("no shoulder", ["right_shoulder"], ["face", "left_"]),
    ("no arms", ["left_elbow", "right_elbow"], ["face"]),
    ("no head", ["nose", "right_eye", "left_eye", "right_ear", "left_ear"], ["left_", "right_"]),
]


@pytest.mark.parametrize("without, parts", [case[1:] for case in GONE], ids=[case[0] for case in GONE])
@pytest.mark.parametrize("whole_body", ["", "WHOLEBODY_133"])
def test_a_part_whose_body_is_not_seen_is_not_there(without, parts, whole_body):
    with composed(bodies(PLACES, 2.0, without=without), whole_body=whole_body) as estimate:
        check(estimate(picture()), parts=parts)


def test_who_is_not_sure_of_anything_loses_its_points():
    with composed() as estimate:
        check(estimate(picture(parts=["face"])), parts=["face"])


def test_hands_half_outside_the_picture_are_seen_as_far_as_it_goes():
    image = picture()[:, 20:]
    people = bodies([(x - 20, y) for x, y in PLACES], 2.0)
    with composed(people) as estimate:
        poses = estimate(np.ascontiguousarray(image))
    check(poses, [(80, 90)], parts=tuple(DOTS))


def test_a_network_that_does_not_say_how_sure_it_is_is_as_sure_as_the_body():
    people = bodies(PLACES, 2.0, scores=0.4)
    with ComposedEstimator(FakeBodies(people), [network("face", score=False)]) as estimate:
        poses = estimate(picture())
        np.testing.assert_allclose(poses.scores[:, 18:], 0.4, rtol=1e-6)


def test_of_several_squares_the_surest_answer_stays():
    """The fake is surer of larger dots: the smallest square."""
    with ComposedEstimator(FakeBodies(bodies(PLACES, 2.0)), [network("hand", scales=scales_of(6, 0.4))]) as many:
        poses = many(picture())
        assert sum(many.parts[0].engine.batches) == 36
    smallest = network("hand", {"scale": 0.8})
    with ComposedEstimator(FakeBodies(bodies(PLACES, 2.0)), [smallest]) as one:
        single = one(picture())
    np.testing.assert_allclose(poses.scores, single.scores, rtol=0.05)
    np.testing.assert_allclose(poses.keypoints, single.keypoints, atol=1)


def test_the_second_look_stays_only_where_it_is_surer():
    """Around the points of the first look the fake sees larger dots: it is surer."""
    with composed(hands={"again": 3.0}) as again, composed() as once:
        first, second = once(picture()), again(picture())
        assert (second.scores[:, 20:] > 2 * first.scores[:, 20:]).all()
    with composed(hands={"again": 16.0, "scale": 0.5}) as again, composed(hands={"scale": 0.5}) as once:
        np.testing.assert_array_equal(again(picture()).scores, once(picture()).scores)


class FakeStreet(Source):
    """A fake video of the same people."""

    def __iter__(self):
        for index in range(6):
            yield Frame(picture(), index, time.monotonic(), "street_%d" % index)


class FakeChecker(Sink):
    """A fake sink that looks for every dot."""

    frames = 0

    def write(self, frame, result, details):
        check(result.poses)
        assert set(result.stage_ms) >= {"bodies", "part-crops", "face", "hands", "whole"}
        self.frames += 1


def test_several_sources_and_lanes_share_the_networks():
    sinks = [FakeChecker(), FakeChecker()]
    with composed() as estimate:
        summary = run_feeds([Feed(FakeStreet("a"), [sinks[0]]), Feed(FakeStreet("b"), [sinks[1]])], estimate,
                            PipelineOptions(in_flight=3))
    assert [sink.frames for sink in sinks] == [6, 6]
    assert summary.people == 36


def test_closing_closes_everything():
    with composed() as estimate:
        estimate(picture())
    assert estimate.body.closed
    assert all(part.engine.closed for part in estimate.parts)


ROOT = {"name": "ROOT", "keypoints": ["hand_root"], "parts": {"hand": [0]}}
REFUSED = [
    ("a hand for a face", ("face", HAND, None, "COCO_18"), "takes a network of FACE_68 or FACE_70; its card says HAND"),
    ("a body for a hand", ("hand", "COCO_17", None, "COCO_18"), "takes a network of HAND_21; its card says COCO_17"),
    ("turned by points it has not", ("hand", ROOT, {"kind": "hand", "turned": True, "again": 2}, "COCO_18"),
     "needs the points middle_1"),
    ("cut out as a face", ("hand", HAND, {"kind": "face"}, "COCO_18"), "its card cuts out a face"),
    ("a body without arms", ("hand", HAND, None, "FACE_68"), "where a hand is cannot be told from FACE_68"),
]


@pytest.mark.parametrize("given, message", [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_a_network_that_does_not_serve_is_refused_in_one_line(given, message):
    kind, skeleton, crop, body = given
    with pytest.raises(CardError, match=message) as caught:
        PartNetwork(kind, FakeDots(skeleton, crop), get_skeleton(body), choose_backend())
    assert "\n" not in str(caught.value)


OPTIONS = [
    ("no part", PartOptions(whole_body="WHOLEBODY_133"), "add --face FACE.onnx or --hands"),
    ("no such set", PartOptions(face="f", whole_body="COCO_17"), "known: WHOLEBODY_133, HALPE_136"),
    ("no scale", PartOptions(hands="h", hand_scale_number=0), "hand_scale_number from 1 to 16"),
    ("all scales", PartOptions(hands="h", hand_scale_range=2), "hand_scale_range from 0"),
]


@pytest.mark.parametrize("options, message", [case[1:] for case in OPTIONS], ids=[case[0] for case in OPTIONS])
def test_options_that_make_no_sense_are_refused_before_a_network_is_opened(options, message):
    with pytest.raises((CardError, ValueError), match=message):
        check_options(options)
    with pytest.raises((CardError, ValueError), match=message):
        open_whole("nothing.onnx", **options._asdict())


def test_a_card_without_a_crop_takes_openpose_s_rectangle():
    engine = FakeDots(FACE)
    assert engine.card.input.crop is None
    assert PartNetwork("face", engine, get_skeleton("COCO_17"), choose_backend()).rule == CropRule("face")


