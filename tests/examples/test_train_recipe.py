"""The recipe from photographs to a model file, on drawn mannequins, from nothing."""

import csv
import json
import pathlib
import shutil

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs torch: pip install '.[export]'")
pytest.importorskip("onnx", reason="the export needs onnx: pip install '.[export]'")
pytest.importorskip("safetensors", reason="weights are safetensors: pip install '.[export]'")
pytest.importorskip("pycocotools", reason="evaluates: pip install '.[eval]'")

import onnx
import torch
from drawn_photographs import HEIGHT, WIDTH, draw_photographs
from train import loop, train
from train.augment import Augmentation, random_affine
from train.coco import load_photographs
from train.data import SampleOptions, Samples, batches, make_sample
from train.loss import Weights, losses
from train.state import TrainingState, rate_share
from train.trained import chosen

import wholebody
from wholebody.card import METADATA_KEY
from wholebody.cli.export import main as wb_export
from wholebody.skeletons import get_skeleton

COCO_17, COCO_18 = get_skeleton("COCO_17"), get_skeleton("COCO_18")
SHORT = ["--steps", "4", "--batch", "2", "--crop", "96", "--warm-up", "2", "--save-every", "2", "--workers", "0"]
PLAIN_OPERATORS = {"Conv", "Relu", "Clip", "Add", "Concat", "Resize", "Constant"}


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> tuple:
    """Ten pictures and their labels."""
    return draw_photographs(tmp_path_factory.mktemp("drawn"), 10)


@pytest.fixture(scope="module")
def trained(photographs: tuple, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The folder of a run of four steps."""
    folder = tmp_path_factory.mktemp("trained")
    split = folder / "split.txt"
    split.write_text("".join("%012d\n" % number for number in range(1, 11)))
    assert run(photographs, folder / "run", "--split", split, "--dev-split", split) == 0
    return folder / "run"


def run(photographs: tuple, output: pathlib.Path, *more: object) -> int:
    """train.py on the drawn photographs."""
    images, annotations = photographs
    return train.main(["--images", str(images), "--annotations", str(annotations), "--output", str(output), *SHORT,
                       *map(str, more)])


def curve(folder: pathlib.Path) -> list:
    """What the log says of every step, but for the time it took."""
    with open(folder / loop.LOG, newline="") as file:
        return [{key: value for key, value in row.items() if key != "seconds"} for row in csv.DictReader(file)]


def test_a_run_leaves_weights_a_model_that_opens_and_a_log(trained: pathlib.Path) -> None:
    with wholebody.open(str(trained / loop.MODEL)) as estimate:
        estimate(np.zeros((HEIGHT, WIDTH, 3), np.uint8))
        assert estimate.maps.heatmaps.shape[0] == 19
    assert [row["step"] for row in curve(trained)] == ["1", "2", "3", "4"]
    assert (trained / loop.WEIGHTS).stat().st_size < 8e6
    assert json.loads((trained / "options.json").read_text())["crop"] == 96
    assert (trained / loop.DEV_LOG).read_text().startswith("4,")


def test_the_model_is_what_old_runtimes_read(trained: pathlib.Path) -> None:
    model = onnx.load(str(trained / loop.MODEL))
    assert {node.op_type for node in model.graph.node} <= PLAIN_OPERATORS
    assert model.opset_import[0].version == 13
    assert model.ir_version <= 8
    assert METADATA_KEY in {entry.key for entry in model.metadata_props}


def test_the_weights_are_recognised_by_wb_export(trained: pathlib.Path, tmp_path: pathlib.Path) -> None:
    assert wb_export(["onnx", str(trained / loop.WEIGHTS), "-o", str(tmp_path / "lite.onnx")]) == 0
    with wholebody.open(str(tmp_path / "lite.onnx")) as estimate:
        assert estimate.card.name == "wholebody-lite"
        assert estimate.card.input.multiple == 16


def test_a_run_that_was_killed_goes_on_with_the_same_losses(
        photographs: tuple, trained: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    true_step = loop.one_step

    def killed(state: TrainingState, batch: object) -> dict:
        if state.step == 3:  # after the checkpoint of step 2
            raise KeyboardInterrupt
        return true_step(state, batch)

    monkeypatch.setattr(loop, "one_step", killed)
    with pytest.raises(KeyboardInterrupt):
        run(photographs, tmp_path / "run")
    monkeypatch.setattr(loop, "one_step", true_step)
    assert not (tmp_path / "run" / loop.WEIGHTS).exists()
    assert run(photographs, tmp_path / "run") == 0
    assert curve(tmp_path / "run") == curve(trained)
    assert (tmp_path / "run" / loop.WEIGHTS).read_bytes() == (trained / loop.WEIGHTS).read_bytes()


def test_a_teacher_is_asked_once_and_learnt_from(
        photographs: tuple, trained: pathlib.Path, tmp_path: pathlib.Path) -> None:
    teacher = tmp_path / "teacher.onnx"
    shutil.copy(str(trained / loop.MODEL), str(teacher))
    cache = tmp_path / "cache"
    assert run(photographs, tmp_path / "run", "--teacher", teacher, "--cache", cache) == 0
    files = {path: path.stat().st_mtime_ns for path in cache.rglob("*.npz")}
    assert len(files) == 10
    assert all(float(row["teacher"]) > 0 for row in curve(tmp_path / "run"))
    assert run(photographs, tmp_path / "again", "--teacher", teacher, "--cache", cache, "--precision", "bfloat16",
               "--freeze-norms", "--frozen-stages", 3) == 0
    assert {path: path.stat().st_mtime_ns for path in cache.rglob("*.npz")} == files


def test_your_own_keypoints_are_learnt_from_a_skeleton_file(photographs: tuple, tmp_path: pathlib.Path) -> None:
    images, annotations = photographs
    truth = json.loads(annotations.read_text())
    for entry in truth["annotations"]:
        entry["keypoints"] = entry["keypoints"][15:33]  # shoulders, elbows, wrists
        entry["num_keypoints"] = sum(v > 0 for v in entry["keypoints"][2::3])
    (tmp_path / "arms.json").write_text(json.dumps(truth))
    skeleton = {"name": "ARMS_6", "keypoints": list(COCO_17.keypoints[5:11]), "flip_pairs": [[0, 1], [2, 3], [4, 5]],
                "paf": {"background": True, "pairs": [[0, 1], [0, 2], [1, 3], [2, 4], [3, 5]]}}
    (tmp_path / "skeleton.json").write_text(json.dumps(skeleton))
    assert run((images, tmp_path / "arms.json"), tmp_path / "run", "--skeleton", tmp_path / "skeleton.json",
               "--labels", tmp_path / "skeleton.json") == 0
    with wholebody.open(str(tmp_path / "run" / loop.MODEL)) as estimate:
        estimate(np.zeros((HEIGHT, WIDTH, 3), np.uint8))
        assert (estimate.skeleton.name, estimate.maps.pafs.shape[0]) == ("ARMS_6", 10)


def test_a_batch_depends_neither_on_where_one_starts_nor_on_the_processes(photographs: tuple) -> None:
    samples = Samples(load(photographs), SampleOptions(COCO_18, 96, seed=3))
    at_once = list(batches(samples, 3, 0, 4, workers=0))
    later = list(batches(samples, 3, 2, 4, workers=1))
    for a, b in zip(at_once[2:], later):
        assert all(torch.equal(x, y) for x, y in zip(a, b))
    assert not torch.equal(at_once[0].pictures, at_once[3].pictures)


def load(photographs: tuple, names: "list[str] | None" = None) -> list:
    return load_photographs(photographs[1], photographs[0], COCO_18, COCO_17, names)


def test_the_neck_is_between_two_labelled_shoulders(photographs: tuple) -> None:
    entry = json.loads(photographs[1].read_text())["annotations"][0]
    points = np.array(entry["keypoints"]).reshape(17, 3)
    photograph = load(photographs)[0]
    assert photograph.known[0, 1] == (points[5, 2] > 0 and points[6, 2] > 0)
    np.testing.assert_allclose(photograph.keypoints[0, 1], (points[5, :2] + points[6, :2]) / 2, atol=1e-3)


def test_people_marked_to_be_ignored_are_boxes_without_labels(photographs: tuple) -> None:
    last = load(photographs)[9]
    assert len(last.keypoints) == 0
    assert len(last.unlabelled_xyxy) == 2


def test_a_split_takes_the_photographs_it_names_and_misses_none(photographs: tuple) -> None:
    assert [p.image_id for p in load(photographs, ["000000000003", "000000000005.png"])] == [3, 5]
    with pytest.raises(ValueError, match="1 names of the split are not among its images"):
        load(photographs, ["000000000003", "000000000099"])


def test_without_augmentation_a_photograph_is_only_cut_out(photographs: tuple) -> None:
    plain = Augmentation((1.0, 1.0), degrees=0, flip=0, colour=0, occlusion=0, blur=0)
    photograph = load(photographs)[0]
    affine = random_affine(np.random.RandomState(0), photograph, 96, plain)
    np.testing.assert_allclose(affine[:, :2], np.eye(2) * 368 / HEIGHT)
    sample = make_sample(np.random.RandomState(0), photograph, SampleOptions(COCO_18, 96, 0, augmentation=plain))
    assert sample.pictures.shape == (3, 96, 96)
    assert sample.pictures.dtype == torch.uint8


def test_labels_do_not_count_where_people_are_unlabelled_but_the_teacher_does(photographs: tuple) -> None:
    samples = Samples(load(photographs), SampleOptions(COCO_18, 96, seed=3))
    batch = next(iter(batches(samples, 2, 0, 1, workers=0)))
    blind = batch._replace(mask=torch.zeros_like(batch.mask))
    answers = [(torch.ones_like(batch.heatmaps), torch.ones_like(batch.pafs))]
    assert losses(answers, batch, Weights()).total > 0
    assert losses(answers, blind, Weights()).total == 0
    taught = blind._replace(teacher_heatmaps=batch.heatmaps, teacher_pafs=batch.pafs)
    assert losses(answers, taught, Weights()).total > 0
    assert losses([(batch.heatmaps, batch.pafs)], taught, Weights(peaks=2.0)).total == 0


def test_a_missed_peak_costs_more_than_a_false_one(photographs: tuple) -> None:
    batch = next(iter(batches(Samples(load(photographs), SampleOptions(COCO_18, 96, seed=3)), 1, 0, 1, workers=0)))
    peak = torch.zeros_like(batch.heatmaps)
    peak[0, 0, 5, 5], peak[0, 18] = 1, 1
    peak[0, 18, 5, 5] = 0
    nothing = torch.zeros_like(peak)
    nothing[0, 18] = 1
    pafs = torch.zeros_like(batch.pafs)
    everywhere = torch.ones_like(batch.mask)

    def cost(answer: torch.Tensor, want: torch.Tensor) -> float:
        told = batch._replace(heatmaps=want, pafs=pafs, mask=everywhere)
        return float(losses([(answer, pafs)], told, Weights(peaks=2.0)).labels)

    assert cost(nothing, peak) == pytest.approx(3 * cost(peak, nothing))


def test_the_rate_rises_then_falls() -> None:
    shares = [rate_share(step, 1000, 100) for step in range(1001)]
    assert max(shares) == pytest.approx(1, abs=0.05)
    assert 80 < int(np.argmax(shares)) < 120
    assert shares[-1] == pytest.approx(0.01)


def test_annotations_of_chosen_photographs_name_no_others(photographs: tuple) -> None:
    truth = json.loads(photographs[1].read_text())
    some = chosen(truth, ["000000000002.png"])
    assert {entry["image_id"] for entry in some["annotations"]} == {2} == {image["id"] for image in some["images"]}


@pytest.mark.parametrize("words, message", [
    (["--crop", "100"], "--crop 100: expected a multiple of 16"),
    (["--precision", "float8"], "invalid choice"),
], ids=["crop", "precision"])
def test_what_cannot_be_trained_is_a_usage_error(
        photographs: tuple, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture, words: list, message: str) -> None:
    with pytest.raises(SystemExit) as error:
        run(photographs, tmp_path / "run", *words)
    assert error.value.code == 2
    assert message in capsys.readouterr().err
