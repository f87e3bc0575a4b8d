"""wb-export verify: a file against its checkpoint or another file, what it prints, and what it refuses."""
import json
import shutil

import numpy as np
import onnx
import pytest
import torch
from checkpoint_files import as_torch, official_tensors
from onnx_damage import attribute, damaged, one_weight

import wholebody.packages
from wholebody.card import card_from_json, card_to_json
from wholebody.cli.export import main
from wholebody.engines.onnxfile import card_of, parse_onnx, read_bytes, with_card
from wholebody.errors import MissingPackage
from wholebody.export.loading import load_network
from wholebody.export.model_file import random_pictures, read_model
from wholebody.export.onnx_export import OnnxOptions, export_onnx

KINDS = {
    "any": OnnxOptions(), "fixed": OnnxOptions((64, 96), 1), "three": OnnxOptions((64, 96), 3),
    "two": OnnxOptions(batch=2), "folded": OnnxOptions(fold_input=True), "folded-fixed": OnnxOptions((64, 96), 1, True),
    "plain": OnnxOptions(simplify=False)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """net.pth, resnet.pth, each of KINDS as NAME.onnx, and files with something wrong."""
    folder = tmp_path_factory.mktemp("verify")
    torch.save(as_torch(official_tensors("lightweight-openpose-1")), folder / "net.pth")
    torch.save(as_torch(official_tensors("trt-pose-resnet18")), folder / "resnet.pth")
    loaded = load_network(str(folder / "net.pth"), "lightweight-openpose-1")
    for name, options in KINDS.items():
        export_onnx(loaded, str(folder / f"{name}.onnx"), options, "net.pth")
    export_onnx(load_network(str(folder / "resnet.pth")), str(folder / "resnet.onnx"))
    damaged(folder / "any.onnx", folder / "spoilt.onnx", one_weight("Conv", -1))
    damaged(folder / "folded.onnx", folder / "folded-spoilt.onnx", one_weight("Conv", 4, by=50.0))
    damaged(folder / "fixed.onnx", folder / "unfit.onnx", attribute("Conv", "strides", [2, 2], -20))
    return folder


@pytest.fixture
def verify(folder, monkeypatch, capsys):
    """Runs the command: exit code, stdout, stderr."""
    monkeypatch.chdir(folder)

    def run(*args):
        try:
            code = main(["verify", *args])
        except SystemExit as stop:
            code = stop.code
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


@pytest.mark.parametrize("name", KINDS)
def test_a_file_is_verified_as_it_takes_pictures(verify, name):
    code, out, err = verify("net.pth", f"{name}.onnx", "--json", "--inputs", "1")
    assert (code, err) == (0, "wb-export: net.pth is lightweight-openpose-1\n")
    report = json.loads(out)
    fixed = KINDS[name].size is not None
    assert report["passed"]
    assert len(report["rows"]) == (2 if fixed else 6)
    sizes = [(96, 64)] if fixed else [(96, 64), (64, 96), (136, 40)]
    assert list(dict.fromkeys((row["width"], row["height"]) for row in report["rows"])) == sizes
    batches = {row["batch"] for row in report["rows"]}
    assert batches == ({KINDS[name].batch} if KINDS[name].batch else {1, 2})
    assert all(0 < row["relative_error"] <= 1e-5 for row in report["rows"])


def test_two_files_of_one_network_are_equal(verify):
    code, out, err = verify("any.onnx", "plain.onnx", "--size", "96x64", "--size", "64x64")
    assert (code, err) == (0, "")
    assert [line.split()[:3] for line in out.splitlines()[1:5]] == [
        ["heatmaps", "96x64", "1"], ["pafs", "96x64", "1"], ["heatmaps", "64x64", "2"], ["pafs", "64x64", "2"]]
    assert out.splitlines()[-1].startswith("plain.onnx gives what any.onnx gives: at most ")


def test_the_json_has_each_row_and_the_node_at_fault(verify):
    code, out, _ = verify("net.pth", "spoilt.onnx", "--json", "-q", "--inputs", "1", "--size", "96x64")
    assert code == 3
    report = json.loads(out)
    assert list(report) == ["reference", "model", "network", "tolerance", "passed", "rows", "notes", "diverging_node"]
    assert (report["reference"], report["model"], report["network"]) == ("net.pth", "spoilt.onnx",
                                                                         "lightweight-openpose-1")
    assert (report["tolerance"], report["passed"], report["notes"]) == (1e-4, False, [])
    heatmaps, pafs = report["rows"]
    assert (heatmaps["output"], heatmaps["passed"], heatmaps["reason"]) == ("heatmaps", True, None)
    assert (pafs["output"], pafs["passed"], pafs["width"], pafs["height"], pafs["batch"]) == ("pafs", False, 96, 64, 1)
    assert pafs["max_error"] > pafs["relative_error"] > 1e-3
    node = report["diverging_node"]
    assert set(node) == {"name", "operator", "index", "output", "module", "relative_error", "differences",
                         "reference_name", "reference_operator"}
    assert (node["operator"], node["output"], node["index"]) == ("Conv", "pafs", 116)
    assert node["module"] == "refinement_stages.0.pafs.1.0"
    assert "differs in 1 of" in node["differences"][0]


@pytest.mark.parametrize(("files", "line"), [
    (("net.pth", "spoilt.onnx"), "First node at fault: Conv /refinement_stages.0/pafs/pafs.1/pafs.1.0/Conv (node 116, "
                                 "module refinement_stages.0.pafs.1.0), "),
    (("any.onnx", "spoilt.onnx"), "First node at fault: Conv /refinement_stages.0/pafs/pafs.1/pafs.1.0/Conv (node 116, "
                                  "module refinement_stages.0.pafs.1.0), "),
    (("net.pth", "folded-spoilt.onnx"), "module model.2.3), "),
    (("net.pth", "unfit.onnx"), "    strides [2, 2], expected [1, 1]")],
    ids=["a checkpoint", "two files", "pixels in", "a file that does not even open"])
def test_the_node_at_fault_is_printed_and_the_next_command(verify, files, line):
    code, out, _ = verify(*files, "--inputs", "1")
    assert code == 3
    assert line in out
    if files[0] == "net.pth":
        assert out.splitlines()[-1] == (f"Export it again: wb-export onnx net.pth -o {files[1]} "
                                        "--arch lightweight-openpose-1 --overwrite")
    else:
        assert out.splitlines()[-1] == "What each holds: wb-export inspect spoilt.onnx"


def test_a_file_that_does_not_run_says_why_in_the_table(verify):
    code, out, _ = verify("net.pth", "unfit.onnx", "--json", "-q")
    assert code == 3
    row = json.loads(out)["rows"][0]
    assert (row["max_error"], row["relative_error"]) == (None, None)
    assert row["reason"].startswith("ONNX Runtime")
    assert verify("net.pth", "unfit.onnx", "-q")[1].count("which gives another shape, or nothing, when it is fed") == 1


def test_a_larger_tolerance_lets_it_pass(verify):
    code, out, _ = verify("net.pth", "spoilt.onnx", "--tolerance", "10", "--inputs", "1", "--size", "96x64")
    assert code == 0
    assert "1.0e+01 allowed" in out


def test_other_weights_of_the_same_network_are_told_by_card_and_numbers(verify, folder):
    torch.save(as_torch(official_tensors("lightweight-openpose-1", seed=8)), folder / "other.pth")
    code, out, _ = verify("other.pth", "any.onnx", "--inputs", "1", "--size", "96x64")
    assert code == 3
    assert "Note: the card of any.onnx names another checkpoint: net.pth (sha256 " in out
    assert "First node at fault: Conv /model/model.0/model.0.0/Conv (node 0, module model.0.0)" in out


def test_a_foreign_file_with_a_card_is_no_other_checkpoint(verify, folder):
    data = read_bytes(str(folder / "any.onnx"))
    card = card_of(parse_onnx(data, "any.onnx"), "any.onnx")
    foreign = card._replace(name="mine", source="theirs.onnx", weights_sha256="0" * 64)
    (folder / "foreign.onnx").write_bytes(with_card(data, foreign))
    code, out, _ = verify("net.pth", "foreign.onnx", "--inputs", "1", "--size", "96x64", "--arch",
                          "lightweight-openpose-1")
    assert code == 0
    assert "Note" not in out


def test_the_same_seed_draws_the_same_pictures(folder):
    model = read_model(str(folder / "any.onnx"))
    first, again, other = (list(random_pictures(model, (), 2, seed)) for seed in (1, 1, 2))
    assert [p.shape for p in first] == [(1, 3, 64, 96)] * 2 + [(2, 3, 96, 64)] * 2 + [(1, 3, 40, 136)] * 2
    assert all(np.array_equal(a, b) for a, b in zip(first, again))
    assert not np.array_equal(first[0], first[1])
    assert not np.array_equal(first[0], other[0])
    assert abs(float(first[0].mean())) < 0.01
    assert first[0].min() >= -0.5


def _renamed(folder, target, **names):
    model = onnx.load(str(folder / "any.onnx"))
    for value in (*model.graph.input, *model.graph.output):
        value.name = names.get(value.name, value.name)
    for node in model.graph.node:
        for tensors in (node.input, node.output):
            for i, name in enumerate(tensors):
                tensors[i] = names.get(name, name)
    del model.metadata_props[:]
    onnx.save(model, str(folder / target))


@pytest.fixture(scope="module")
def strangers(folder):
    """Files that cannot be compared."""
    _renamed(folder, "renamed-input.onnx", image="picture")
    _renamed(folder, "renamed-output.onnx", pafs="vectors")
    (folder / "text.onnx").write_text("hello")
    data = read_bytes(str(folder / "any.onnx"))
    card = card_of(parse_onnx(data, "any.onnx"), "any.onnx")
    changed = card_from_json(card_to_json(card).replace('"skeleton": "COCO_18"', '"skeleton": "TRT_POSE_18"'))
    (folder / "other-keypoints.onnx").write_bytes(with_card(data, changed._replace(name="mine")))
    two = onnx.load(str(folder / "any.onnx"))
    two.graph.input.append(onnx.helper.make_tensor_value_info("more", 1, [1]))
    onnx.save(two, str(folder / "two-inputs.onnx"))


REFUSED = [
    ("another input", ["any.onnx", "renamed-input.onnx"], 1, "renamed-input.onnx cannot be compared with any.onnx: its "
     "inputs are picture [batch, 3, height, width] float32; expected image [batch, 3, height, width] float32"),
    ("another output", ["any.onnx", "renamed-output.onnx"], 1, "its outputs are heatmaps [batch, 19, map_height, "
     "map_width] float32; vectors ["),
    ("pixels and prepared pictures", ["any.onnx", "folded.onnx"], 1, "its inputs are image [batch, height, width, 3] "
     "uint8; expected"),
    ("another output than the checkpoint's", ["net.pth", "renamed-output.onnx", "--arch", "lightweight-openpose-1"], 1,
     "which gives 19 heatmaps and 38 pafs; renamed-output.onnx has outputs heatmaps ["),
    ("other keypoints in two files", ["any.onnx", "other-keypoints.onnx"], 1, "its keypoints are TRT_POSE_18, expected "
     "COCO_18"),
    ("other keypoints than the checkpoint's", ["net.pth", "other-keypoints.onnx"], 1,
     "net.pth is lightweight-openpose-1 with keypoints COCO_18; other-keypoints.onnx has TRT_POSE_18: give the "
     "checkpoint it was made from"),
    ("another network's checkpoint", ["resnet.pth", "any.onnx"], 1, "the card of any.onnx says lightweight-openpose-1, "
     "but resnet.pth: not lightweight-openpose-1: "),
    ("another network by name", ["net.pth", "resnet.onnx", "--arch", "lightweight-openpose-1"], 1,
     "resnet.onnx has TRT_POSE_18: give the checkpoint"),
    ("two inputs", ["net.pth", "two-inputs.onnx"], 1,
     "networks with one picture as input are compared; its inputs are: image"),
    ("no ONNX file", ["net.pth", "text.onnx"], 1, "text.onnx is not a readable ONNX file"),
    ("no file", ["net.pth", "none.onnx"], 1, "cannot read model none.onnx: No such file"),
    ("no checkpoint", ["none.pth", "any.onnx"], 1, "cannot read checkpoint none.pth: No such file"),
    ("a size that is not the file's", ["net.pth", "fixed.onnx", "--size", "64x64"], 1,
     "fixed.onnx takes 96x64 pictures only, got 64x64"),
    ("a size between the cells", ["net.pth", "any.onnx", "--size", "100x64"], 1, "any.onnx: the input's sides are "
     "multiples of 8, got 100x64"),
    ("no reference", ["any.onnx"], 2, "required: MODEL.onnx"),
    ("a network for a file", ["any.onnx", "any.onnx", "--arch", "openpose-coco"], 2, "--arch is for checkpoints"),
    ("a tolerance that is none", ["net.pth", "any.onnx", "--tolerance", "none"], 2, "expected a number such as 1e-4"),
    ("no pictures", ["net.pth", "any.onnx", "--inputs", "0"], 2, "expected a number from 1 to 999"),
    ("a seed that is none", ["net.pth", "any.onnx", "--seed", "x"], 2, "expected a whole number from 0"),
]


@pytest.mark.parametrize(("args", "code", "says"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_what_cannot_be_compared_is_refused_in_one_line(verify, strangers, args, code, says):
    got, out, err = verify(*args, "-q")
    assert (got, out) == (code, "")
    assert says in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("package", ["polygraphy", "onnx", "torch"])
def test_a_missing_package_is_named_with_the_extra(verify, monkeypatch, package):
    def without(module, extra=None):
        if module == package:
            raise MissingPackage("%s is not installed. Install it: %s"
                                 % (module, wholebody.packages.install_command(module, extra)))
        return wholebody.packages.importlib.import_module(module)

    monkeypatch.setattr(wholebody.packages, "require", without)
    code, out, err = verify("net.pth", "any.onnx")
    assert (code, out) == (1, "")
    assert err == f"wb-export: error: {package} is not installed. Install it: pip install 'wholebody[export]'\n"


def test_weights_that_lie_beside_the_file_are_found(verify, folder):
    (folder / "beside").mkdir()
    onnx.save(onnx.load(str(folder / "spoilt.onnx")), str(folder / "beside" / "net.onnx"), save_as_external_data=True,
              location="net.data", size_threshold=0)
    code, out, _ = verify("net.pth", "beside/net.onnx", "--inputs", "1")
    assert code == 3
    assert "module refinement_stages.0.pafs.1.0" in out
    shutil.rmtree(folder / "beside")
