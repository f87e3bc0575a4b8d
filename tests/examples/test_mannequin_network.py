"""The committed network: from a drawing to poses, against known truth."""

import json
import pathlib

import numpy as np
import pytest

pytest.importorskip("cv2", reason="drawing needs OpenCV: pip install opencv-python-headless")
pytest.importorskip("onnxruntime", reason="running the network needs onnxruntime")

import onnxruntime
from mannequins import measure
from mannequins.drawing import draw_scene
from mannequins.scene import random_scene
from mannequins.targets import make_targets

from wholebody.runtime.paf import PafDecoder
from wholebody.skeletons import get_skeleton

MODEL = pathlib.Path(measure.__file__).with_name("mannequin.onnx")
LEAST_RECALL = {1: 0.92, 5: 0.94, 10: 0.91, 20: 0.84}


@pytest.fixture(scope="module")
def session() -> "onnxruntime.InferenceSession":
    return onnxruntime.InferenceSession(str(MODEL), providers=["CPUExecutionProvider"])


def test_the_file_is_small() -> None:
    assert MODEL.stat().st_size <= 300000


@pytest.mark.parametrize("size", [(656, 368), (64, 96), (256, 256)], ids=["wide", "small", "square"])
@pytest.mark.parametrize("batch", [1, 3])
def test_pictures_of_any_size_give_maps_of_an_eighth(session: "onnxruntime.InferenceSession",
                                                     size: tuple, batch: int) -> None:
    width, height = size
    image = np.zeros((batch, 3, height, width), np.float32)
    heatmaps, pafs = session.run(["heatmaps", "pafs"], {"image": image})
    assert heatmaps.shape == (batch, 26, height // 8, width // 8)
    assert pafs.shape == (batch, 52, height // 8, width // 8)


def test_an_empty_room_holds_nobody(session: "onnxruntime.InferenceSession") -> None:
    decode = PafDecoder(get_skeleton("BODY_25"))
    for seed in range(5):
        picture = draw_scene(random_scene(0, 656, 368, seed), seed)
        heatmaps, pafs = session.run(["heatmaps", "pafs"], {"image": measure.network_input(picture)})
        assert len(decode(heatmaps[0], pafs[0])) == 0


@pytest.mark.parametrize("people", [1, 5, 20])
def test_perfect_maps_give_back_the_people_they_were_made_of(people: int) -> None:
    scene = random_scene(people, 656, 368, 100 + people)
    poses = PafDecoder(get_skeleton("BODY_25"))(*make_targets(scene.keypoints, scene.told, 656, 368))
    found = measure.found_keypoints(scene, np.where(poses.scores[..., None] > 0, poses.keypoints, np.inf))
    assert found.sum() / scene.visible.sum() > 0.99


def test_the_network_finds_the_people_in_drawings_it_has_never_seen(capsys: pytest.CaptureFixture) -> None:
    assert measure.main([str(MODEL), "--scenes", "4", "--json"]) == 0
    for people, recall in json.loads(capsys.readouterr().out).items():
        assert recall["found"] / recall["visible"] >= LEAST_RECALL[int(people)], f"{people} people: {recall}"
