"""Maps of several sizes and of mirrored pictures, averaged."""
import numpy as np
import onnx_bytes
import pytest
from sticks import draw_sticks

from wholebody.calibration.averaging import AveragedEstimator, mirrored_channels
from wholebody.card import card_from_json
from wholebody.engines.onnxfile import with_card
from wholebody.engines.onnxruntime_engine import OnnxRuntimeEngine
from wholebody.errors import CardError
from wholebody.runtime.estimator import Estimator
from wholebody.skeletons import get_skeleton, skeleton_from_dict

PAF_SETS = ["BODY_25", "COCO_18", "MPI_15", "BODY_25B", "TRT_POSE_18"]


@pytest.fixture
def network(tmp_path):
    """A network that sees sticks."""
    path = tmp_path / "net.onnx"
    path.write_bytes(with_card(onnx_bytes.stick_net(), card_from_json(onnx_bytes.STICK_CARD)))
    return str(path)


def test_one_size_and_no_mirror_is_the_network_itself(network):
    picture = draw_sticks(4)
    with AveragedEstimator(OnnxRuntimeEngine(network)) as averaged, Estimator(OnnxRuntimeEngine(network)) as plain:
        expected, found = plain(picture), averaged(picture)
    assert len(expected) == 4
    np.testing.assert_allclose(found.keypoints, expected.keypoints, atol=1e-3)
    np.testing.assert_allclose(found.scores, expected.scores, atol=1e-5)


def test_several_sizes_see_the_same_people(network):
    picture = draw_sticks(4)
    with AveragedEstimator(OnnxRuntimeEngine(network), scales=(1.0, 1.5)) as averaged, \
            Estimator(OnnxRuntimeEngine(network)) as plain:
        expected, found = plain(picture), averaged(picture)
    assert len(found) == len(expected)
    for point in expected.keypoints[:, 0]:
        assert np.linalg.norm(found.keypoints[:, 0] - point, axis=1).min() < 3


@pytest.mark.parametrize("name", PAF_SETS)
def test_mirroring_twice_changes_nothing(name):
    skeleton = get_skeleton(name)
    points, channels, signs = mirrored_channels(skeleton)
    heat = np.random.RandomState(0).rand(skeleton.heatmap_channels)
    fields = np.random.RandomState(1).rand(skeleton.paf_channel_count).astype(np.float32)
    np.testing.assert_array_equal(heat[points][points], heat)
    once = fields[channels] * signs
    np.testing.assert_array_equal(once[channels] * signs, fields)


@pytest.mark.parametrize("name", PAF_SETS)
def test_a_mirrored_limb_points_to_the_other_side(name):
    """Fields of limbs between known points; those of the mirrored points, exchanged, are the same fields."""
    skeleton = get_skeleton(name)
    points, channels, signs = mirrored_channels(skeleton)
    places = np.random.RandomState(2).uniform(0, 100, (len(skeleton.keypoints), 2))

    def fields(at):
        values = np.zeros(skeleton.paf_channel_count)
        for (a, b), (x, y) in zip(skeleton.paf_pairs, skeleton.paf_channels):
            values[x], values[y] = (at[b] - at[a]) / np.linalg.norm(at[b] - at[a])
        return values

    mirrored = (places * [-1, 1])[points[:len(places)]]  # what is left in the picture is the right one's in the mirror
    np.testing.assert_allclose(fields(mirrored)[channels] * signs, fields(places), atol=1e-9)


def test_a_limb_without_a_counterpart_is_named():
    skeleton = skeleton_from_dict({"name": "LAME", "keypoints": ["hip", "left_knee", "right_knee"],
                                   "flip_pairs": [[1, 2]], "paf": {"pairs": [[0, 1]]}})
    with pytest.raises(CardError, match="LAME: the limb hip to left_knee has no counterpart"):
        mirrored_channels(skeleton)


def test_body_135_has_such_a_limb_in_its_face():
    with pytest.raises(CardError, match="face_39 to face_40 has no counterpart on the other side; leave --flip out"):
        mirrored_channels(get_skeleton("BODY_135"))
