"""wb-export onnx: sizes, batches, refinement stages, and what it refuses."""
import json
import pathlib

import numpy as np
import pytest
import torch
from checkpoint_files import as_torch, official_tensors, write_caffemodel

from wholebody.cli.export import main
from wholebody.engines.onnxfile import card_of, parse_onnx, read_bytes
from wholebody.engines.onnxruntime_engine import OnnxRuntimeEngine
from wholebody.engines.opening import open_engine
from wholebody.errors import MissingPackage, ModelError
from wholebody.export import onnx_export
from wholebody.export.loading import load_network
from wholebody.export.networks.architectures import ARCHITECTURES
from wholebody.export.onnx_export import OnnxOptions, export_onnx
from wholebody.runtime.preprocess import Preprocessor


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """checkpoint.pth: lightweight-OpenPose with three refinement stages, the smallest of the networks."""
    folder = tmp_path_factory.mktemp("onnx")
    torch.save({"state_dict": as_torch(official_tensors("lightweight-openpose-3"))}, folder / "checkpoint.pth")
    return folder


@pytest.fixture(scope="module")
def loaded(folder):
    return load_network(str(folder / "checkpoint.pth"), "lightweight-openpose-1")


def shapes(path):
    outside = parse_onnx(read_bytes(path), path)
    return [tuple(info.shape) for info in (*outside.inputs, *outside.outputs)]


SHAPES = [
    ("any size and number", OnnxOptions(), [("batch", 3, "height", "width"), ("batch", 19, "map_height", "map_width"),
                                            ("batch", 38, "map_height", "map_width")]),
    ("a fixed size", OnnxOptions(size=(64, 96)), [("batch", 3, 64, 96), ("batch", 19, 8, 12), ("batch", 38, 8, 12)]),
    ("a fixed number", OnnxOptions(batch=2, simplify=False), [
        (2, 3, "height", "width"), (2, 19, "map_height", "map_width"), (2, 38, "map_height", "map_width")]),
    ("pixels of any size", OnnxOptions(fold_input=True), [
        ("batch", "height", "width", 3), ("batch", 19, "map_height", "map_width"),
        ("batch", 38, "map_height", "map_width")]),
    ("pixels of a fixed size", OnnxOptions((64, 96), 1, True), [(1, 64, 96, 3), (1, 19, 8, 12), (1, 38, 8, 12)]),
    ("all fixed", OnnxOptions((64, 96), 1), [(1, 3, 64, 96), (1, 19, 8, 12), (1, 38, 8, 12)]),
]


@pytest.mark.parametrize(("options", "expected"), [case[1:] for case in SHAPES], ids=[case[0] for case in SHAPES])
def test_the_file_takes_what_was_asked_for_and_nothing_else(tmp_path, loaded, options, expected):
    path = str(tmp_path / "model.onnx")
    card = export_onnx(loaded, path, options, "checkpoint.pth")
    assert shapes(path) == expected
    assert card.input.size == options.size
    pixels = np.random.default_rng(1).integers(0, 256, (options.batch or 1, 64, 96, 3), np.uint8)
    image = pixels.transpose(0, 3, 1, 2).astype(np.float32) / 256 - np.float32(0.5)
    with OnnxRuntimeEngine(path, read_card=False) as engine, torch.no_grad():
        outputs = engine.infer({"image": pixels if options.fold_input else image})
        for name, maps in zip(("heatmaps", "pafs"), loaded.network(torch.from_numpy(image))):
            np.testing.assert_allclose(outputs[name], maps, atol=1e-4 * float(maps.max() - maps.min()))


@pytest.mark.parametrize("arch", ["lightweight-openpose-1", "trt-pose-resnet18"])
def test_pixels_or_normalised_the_same_people_are_estimated(tmp_path, loaded, arch):
    if arch != loaded.architecture.name:  # RGB, ImageNet's mean and deviation, stretched
        torch.save(as_torch(official_tensors(arch)), tmp_path / "net.pth")
        loaded = load_network(str(tmp_path / "net.pth"))
    frame = np.random.default_rng(2).integers(0, 256, (50, 90, 3), np.uint8)
    maps = []
    for fold in (False, True):
        path = str(tmp_path / f"{fold}.onnx")
        export_onnx(loaded, path, OnnxOptions((64, 96), fold_input=fold))
        with open_engine(path) as engine:
            assert engine.card is not None
            image, _ = Preprocessor(engine.card.input)(frame)
            assert image.dtype == (np.uint8 if fold else np.float32)
            maps.append(engine.infer({"image": image}))
    for name, plain in maps[0].items():
        np.testing.assert_allclose(maps[1][name], plain, atol=1e-4 * float(plain.max() - plain.min()))


def test_no_int64_reaches_the_graph(tmp_path, loaded):
    path = tmp_path / "model.onnx"
    export_onnx(loaded, str(path))
    onnx = pytest.importorskip("onnx", reason="counts the types of the weights")
    graph = onnx.load(str(path)).graph
    assert {tensor.data_type for tensor in graph.initializer} == {onnx.TensorProto.FLOAT}
    assert {node.op_type for node in graph.node} == {"Conv", "Relu", "Elu", "Add", "Concat"}


def test_the_command_writes_a_file_with_its_card(folder, tmp_path, capsys):
    out = str(tmp_path / "model.onnx")
    assert main(["onnx", str(folder / "checkpoint.pth"), "-o", out, "--refinements", "1"]) == 0
    said = capsys.readouterr()
    assert said.err.endswith("checkpoint.pth is lightweight-openpose-1\n")
    assert said.out.splitlines()[0] == f"wrote {out}: lightweight-openpose-1, COCO_18"
    assert "Note: 156 tensors of the file are not in this network" in said.out
    card = card_of(parse_onnx(read_bytes(out), out), out)
    assert (card.source, card.licence, card.input.height) == ("checkpoint.pth", "Apache-2.0", 368)
    assert len(card.weights_sha256) == 64
    assert card.head("paf").output("pafs").output == "pafs"
    assert main(["inspect", out, "--json", "--size", "368x368"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["opset"], round(report["cost"]["gmacs"], 2), report["int64_constants"]) == (13, 8.88, 0)


def test_the_command_shows_the_card_as_json(folder, tmp_path, capsys):
    out = str(tmp_path / "model.onnx")
    assert main(["onnx", str(folder / "checkpoint.pth"), "-o", out, "--size", "96x64", "--json", "--no-simplify"]) == 0
    card = json.loads(capsys.readouterr().out)
    assert (card["name"], card["input"]["size"]) == ("lightweight-openpose-3", [64, 96])


def test_the_hand_network_reads_all_but_the_background(tmp_path):
    write_caffemodel(tmp_path / "hand.caffemodel", official_tensors("openpose-hand"))
    card = export_onnx(load_network(str(tmp_path / "hand.caffemodel")), str(tmp_path / "hand.onnx"))
    (tmp_path / "hand.caffemodel").unlink()
    (tmp_path / "hand.onnx").unlink()
    assert card.head("heatmap").output("heatmaps").channels == (0, 21)
    assert card.skeleton is not None
    assert card.skeleton.name == "HAND_21"


REFUSED = [
    ("no output", ["checkpoint.pth"], 2, "expected CHECKPOINT -o MODEL.onnx, or --list"),
    ("no checkpoint", ["-o", "x.onnx"], 2, "expected CHECKPOINT -o MODEL.onnx, or --list"),
    ("both ways to say it", ["checkpoint.pth", "-o", "x.onnx", "--refinements", "1", "--arch", "openpose-coco"], 2,
     "give one of them"),
    ("a size that is none", ["checkpoint.pth", "-o", "x.onnx", "--size", "96"], 2, "expected WIDTHxHEIGHT"),
    ("a batch that is none", ["checkpoint.pth", "-o", "x.onnx", "--batch", "0"], 2, "from 1 to 9999"),
    ("a size between the cells", ["checkpoint.pth", "-o", "x.onnx", "--size", "100x64"], 1,
     "sides are multiples of 8, got 100x64; its authors use 656x368"),
    ("an existing file", ["checkpoint.pth", "-o", "checkpoint.pth"], 1, "exists; add --overwrite"),
    ("a missing checkpoint", ["no.pth", "-o", "x.onnx"], 1, "cannot read checkpoint no.pth: No such file"),
    ("another network", ["checkpoint.pth", "-o", "x.onnx", "--arch", "trt-pose-resnet18"], 1, "not trt-pose-resnet18:"),
]


@pytest.mark.parametrize(("args", "code", "says"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_the_command_refuses_in_one_line(folder, monkeypatch, capsys, args, code, says):
    monkeypatch.chdir(folder)
    try:
        got = main(["onnx", *args])
    except SystemExit as stop:
        got = stop.code
    said = capsys.readouterr()
    assert got == code
    assert says in said.err
    assert said.out == ""
    assert not pathlib.Path("x.onnx").exists()


def test_the_command_lists_the_networks(capsys):
    assert main(["onnx", "--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(ARCHITECTURES)
    assert " ".join(lines[0].split()) == "openpose-body25 BODY_25 26 heatmaps, 52 pafs at stride 8"


def test_a_torch_that_writes_another_opset_is_named(tmp_path, loaded, monkeypatch):
    monkeypatch.setattr(onnx_export, "MAX_IR", 6)
    with pytest.raises(ModelError, match=r"expected opset 13 and IR 6 or below, torch .* wrote opset 13, IR 7"):
        export_onnx(loaded, str(tmp_path / "model.onnx"))
    assert not (tmp_path / "model.onnx").exists()


def test_without_onnxsim_the_file_is_written_as_torch_gives_it(tmp_path, loaded, monkeypatch):
    monkeypatch.setattr(onnx_export.importlib.util, "find_spec", lambda name: None)

    def unexpected(module, extra=None):
        raise MissingPackage(module)

    monkeypatch.setattr(onnx_export, "require", unexpected)
    export_onnx(loaded, str(tmp_path / "model.onnx"))
    assert parse_onnx(read_bytes(tmp_path / "model.onnx"), "model.onnx").opset == 13
