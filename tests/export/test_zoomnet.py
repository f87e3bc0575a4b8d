"""ZoomNet: boxes out of its own maps, and a seeded checkpoint through ONNX to 133 keypoints."""
import numpy as np
import pytest
import torch
from checkpoint_files import official_tensors, write_official

import wholebody
from wholebody.cli.export import main
from wholebody.engines.onnxfile import card_of, parse_onnx, read_bytes
from wholebody.engines.opening import open_engine
from wholebody.export.loading import load_network
from wholebody.export.networks.zoomnet import boxes_of
from wholebody.skeletons import get_skeleton

SIZE = (64, 96)  # height and width: small and unequal
# Which of (x0, x1) and of (y0, y1) each peak tells: top left, top right, bottom right, bottom left, and the centre.
ACROSS = [(1, 0), (0, 1), (0, 1), (1, 0), (0.5, 0.5)]
DOWN = [(1, 0), (1, 0), (0, 1), (0, 1), (0.5, 0.5)]


def maps_with_peaks(cells):
    """Maps (1, 15, 24, 18) whose highest cells are `cells` (15, 2), x and y, on noise."""
    maps = torch.rand(1, 15, 24, 18, generator=torch.Generator().manual_seed(0)) / 2
    for k, (x, y) in enumerate(cells):
        maps[0, k, y, x] = 1
    return maps


def test_a_box_is_the_nearest_to_its_peaks_in_the_sense_of_least_squares():
    cells = np.random.default_rng(1).integers(0, 18, (15, 2))
    found = boxes_of(maps_with_peaks(cells))[0].numpy()
    for box, peaks in zip(found, cells.reshape(3, 5, 2)):
        for axis, told in enumerate((ACROSS, DOWN)):
            sides = np.linalg.lstsq(np.array(told), 4.0 * peaks[:, axis] + 0.5, rcond=None)[0]
            reach = max(abs(sides[1] - sides[0]) / 2, 4) * 1.25
            np.testing.assert_allclose(box[axis::2], sides.mean() + np.array([-reach, reach]), atol=1e-3)


BOXES = [
    ("peaks that agree", [(2, 3), (10, 3), (10, 19), (2, 19), (6, 11)], (4.5, 4.5, 44.5, 84.5)),
    ("all in one cell", [(5, 5)] * 5, (15.5, 15.5, 25.5, 25.5)),
    ("left and right exchanged", [(10, 3), (2, 3), (2, 19), (10, 19), (6, 11)], (4.5, 4.5, 44.5, 84.5)),
]


@pytest.mark.parametrize(("cells", "expected"), [row[1:] for row in BOXES], ids=[row[0] for row in BOXES])
def test_a_box_is_looked_at_a_little_larger_and_never_empty(cells, expected):
    found = boxes_of(maps_with_peaks(np.tile(cells, (3, 1))))
    np.testing.assert_allclose(found[0], np.tile(expected, (3, 1)), atol=1e-4)


@pytest.fixture(scope="module")
def one_thread():
    """Of torch: where cores are shared, its threads wait for each other many times longer than they work."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def place(tmp_path_factory, one_thread):
    """epoch_249.pth with random weights, and model.onnx of it."""
    folder = tmp_path_factory.mktemp("zoomnet")
    checkpoint = write_official(folder, "zoomnet", official_tensors("zoomnet"))
    assert main(["onnx", str(checkpoint), "-o", str(folder / "model.onnx"), "--size", "96x64", "--no-simplify"]) == 0
    yield folder
    checkpoint.unlink()
    (folder / "model.onnx").unlink()


@pytest.fixture(scope="module")
def estimate(place):
    with wholebody.open(str(place / "model.onnx"), whole_frame=True) as estimate:
        yield estimate


@pytest.fixture(scope="module")
def loaded(place):
    return load_network(str(place / "epoch_249.pth"))


@pytest.fixture(scope="module")
def answer(loaded):
    """Two pictures and what the network gives for them."""
    image = torch.rand(2, 3, *SIZE, generator=torch.Generator().manual_seed(3)) - 0.5
    with torch.no_grad():
        return image, loaded.network(image)


def same(engine, image, expected):
    got = engine.infer({"image": image.numpy()})
    assert list(got) == ["heatmaps", "face", "hands", "boxes"]
    for name, maps in zip(got, expected):
        assert np.abs(got[name] - maps.numpy()).max() <= 1e-4 * float(maps.max() - maps.min()), name


def test_the_checkpoint_is_recognised_and_the_file_gives_the_same_on_onnx_runtime(estimate, loaded, answer):
    assert (loaded.architecture.name, loaded.skeleton.name) == ("zoomnet", "WHOLEBODY_133")
    assert [tuple(maps.shape) for maps in answer[1]] == [(2, 23, 16, 24), (2, 68, 64, 64), (2, 42, 64, 64), (2, 3, 4)]
    same(estimate.engine, *answer)


def test_the_card_places_every_keypoint_once(place):
    outside = parse_onnx(read_bytes(place / "model.onnx"), "model.onnx")
    card = card_of(outside, "model.onnx")
    assert (outside.opset, outside.ir_version <= 8) == (16, True)
    assert (card.input.size, card.input.box_padding, card.input.color) == (SIZE, 1.25, "rgb")
    assert [(head.kind, head.keypoints, head.stride, head.in_boxes) for head in card.heads] == [
        ("heatmap", (0, 23), 4, False), ("heatmap", (23, 91), 0, True), ("heatmap", (91, 112), 0, True),
        ("heatmap", (112, 133), 0, True)]
    parts = dict(get_skeleton("WHOLEBODY_133").parts)
    for head, name in zip(card.heads[1:], ("face", "left_hand", "right_hand")):
        assert head.keypoints == (min(parts[name]), max(parts[name]) + 1)


def test_one_hand_head_sees_both_hands(loaded, answer, monkeypatch):
    image, (body, face, hands, boxes) = answer
    swapped = boxes[:, [0, 2, 1]]
    monkeypatch.setattr("wholebody.export.networks.zoomnet.boxes_of", lambda maps: swapped)
    with torch.no_grad():
        exchanged = loaded.network(image)
    spread = float(hands.max() - hands.min())
    torch.testing.assert_close(exchanged[2], torch.cat((hands[:, 21:], hands[:, :21]), 1), atol=1e-5 * spread, rtol=0)
    torch.testing.assert_close(exchanged[0], body)


def test_its_maps_become_133_keypoints_of_the_frame(estimate):
    poses = estimate(np.random.default_rng(5).integers(0, 256, (120, 90, 3), np.uint8))
    assert (poses.keypoints.shape, poses.skeleton.name) == ((1, 133, 2), "WHOLEBODY_133")
    found = poses.scores[0] > 0  # noise has a peak above nothing in most maps of every part
    assert min(found[first:end].mean() for first, end in ((0, 23), (23, 91), (91, 112), (112, 133))) > 0.5


@pytest.mark.long
def test_native_ops_write_roi_align_which_gives_the_same(place, loaded, answer, tmp_path, capsys):
    onnx = pytest.importorskip("onnx", reason="counts nodes")
    path = tmp_path / "native.onnx"
    assert main(["onnx", str(place / "epoch_249.pth"), "-o", str(path), "--size", "96x64", "--no-simplify",
                 "--native-ops"]) == 0
    operators = [node.op_type for node in onnx.load(str(path)).graph.node]
    assert (operators.count("RoiAlign"), operators.count("GridSample")) == (4, 0)
    assert "wrote" in capsys.readouterr().out
    outside = parse_onnx(read_bytes(path), str(path))
    assert (outside.opset, outside.ir_version <= 8) == (16, True)
    with open_engine(str(path)) as engine:
        same(engine, *answer)
    path.unlink()
