"""The networks for one person, from official files: recognised, run, exported, the same numbers as a second telling."""
import copy
from typing import NamedTuple

import pytest
import torch
from checkpoint_files import official_tensors, rtm_shapes, write_official
from topdown_references import run_topdown

from wholebody.card import ModelCard
from wholebody.cli.export import main
from wholebody.engines.onnxfile import card_of, parse_onnx, read_bytes
from wholebody.engines.opening import open_engine
from wholebody.export.checkpoint_verification import verify_checkpoint
from wholebody.export.loading import LoadedNetwork, load_network
from wholebody.export.networks.architectures import ARCHITECTURES
from wholebody.export.networks.topdown import TOP_DOWN_NETWORKS
from wholebody.export.onnx_export import OnnxOptions, export_onnx
from wholebody.export.verification import VerifyOptions


def last(points, width, layer="conv_out"):
    """What tells the number of keypoints, and the width where there are several."""
    return {f"{layer}.weight": (points, width, 1, 1)}


class Case(NamedTuple):
    name: str
    variant: dict
    skeleton: str
    heads: tuple   # kinds
    simplify: bool = False


# One of each form, here at a small size where the network takes any; all of them: see the long tests.
CASES = [
    Case("hrnet-w32", {}, "COCO_17", ("heatmap",)),
    Case("simplepose-50", last(16, 256, "final_layer"), "MPII_16", ("heatmap",)),
    Case("fastpose-50", last(136, 256), "HALPE_136", ("integral",)),
    Case("fastpose-50-dcn", last(68, 256), "HALPE_68", ("heatmap", "integral"), simplify=True),
    Case("rtmpose-t", rtm_shapes("rtmpose-t", 26, (192, 128)), "HALPE_26", ("simcc",), simplify=True),
    Case("rtmw-m", rtm_shapes("rtmw-m", 133, (128, 96)), "WHOLEBODY_133", ("simcc",)),
]
TESTED = [case.name for case in CASES]
CASES += [Case(network.name, {}, network.skeleton, ("simcc" if network.one_size else "heatmap",))
          for network in TOP_DOWN_NETWORKS if network.name not in TESTED and not network.in_boxes]
PARAMETERS = [pytest.param(case, id=case.name, marks=() if case.name in TESTED else pytest.mark.long) for case in CASES]


class Exported(NamedTuple):
    case: Case
    checkpoint: str
    loaded: LoadedNetwork
    expected: tuple
    image: torch.Tensor
    onnx: str
    card: ModelCard


@pytest.fixture(scope="module", params=PARAMETERS)
def exported(request, tmp_path_factory):
    case, folder = request.param, tmp_path_factory.mktemp("topdown")
    tensors = official_tensors(case.name, variant=case.variant)
    path = write_official(folder, case.name, tensors)
    loaded = load_network(str(path))
    size = loaded.architecture.default_input if loaded.architecture.one_size else (64, 96)
    image = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(3)) - 0.5
    with torch.no_grad():
        wide = {key: torch.from_numpy(array).double() for key, array in tensors.items()}
        expected = run_topdown(case.name, wide, image.double())
    onnx = folder / "model.onnx"
    card = export_onnx(loaded, str(onnx), OnnxOptions(simplify=case.simplify), str(path))
    yield Exported(case, str(path), loaded, expected, image, str(onnx), card)
    path.unlink()
    onnx.unlink()


def relative_error(got, expected):
    """Largest difference over the range of what is expected."""
    return ((got - expected).abs().max() / (expected.max() - expected.min())).item()


def test_the_file_is_recognised_with_its_keypoints(exported):
    architecture = exported.loaded.architecture
    assert (architecture.name, exported.loaded.skeleton.name) == (exported.case.name, exported.case.skeleton)
    assert {count for _, count in architecture.channels} == {len(exported.loaded.skeleton.keypoints)}
    assert tuple(head.kind for head in exported.card.heads) == exported.case.heads


def test_the_network_gives_what_its_authors_code_gives(exported):
    with torch.no_grad():  # in double precision: attention multiplies what single precision rounds
        outputs = copy.deepcopy(exported.loaded.network).double()(exported.image.double())
    assert [output.shape for output in outputs] == [output.shape for output in exported.expected]
    for got, expected in zip(outputs, exported.expected):
        assert relative_error(got, expected) <= 1e-9


def test_the_onnx_file_gives_the_same_on_onnx_runtime_at_any_size_it_takes(exported):
    architecture = exported.loaded.architecture
    outside = parse_onnx(read_bytes(exported.onnx), exported.onnx)
    assert (outside.opset, outside.ir_version <= 8) == (16 if "dcn" in architecture.name else 13, True)
    assert card_of(outside, exported.onnx) == exported.card
    images = [exported.image, exported.image[:1]]
    if not architecture.one_size:
        images[1] = images[1][:, :, :32, :64].contiguous()
    with open_engine(exported.onnx) as engine:
        for image in images:
            with torch.no_grad():
                expected = exported.loaded.network(image)
            outputs = engine.infer({"image": image.numpy()})
            for name, maps in zip(architecture.outputs, expected):
                assert relative_error(torch.from_numpy(outputs[name]), maps) <= 1e-4


def test_the_card_says_all_that_decoding_needs(exported):
    card, spec = exported.card, exported.card.input
    assert (card.skeleton, spec.box_padding, spec.color, spec.multiple) == (exported.loaded.skeleton, 1.25, "rgb", 32)
    assert (spec.size, spec.height) == ((exported.image.shape[2:], spec.height) if exported.loaded.architecture.one_size
                                        else (None, 256))
    # AlphaPose takes ImageNet's means in BGR order from RGB pictures, and divides by nothing.
    alphapose = exported.case.name.startswith(("fastpose", "simplepose"))
    assert (spec.mean, spec.std) == (((0.406, 0.457, 0.48), (1, 1, 1)) if alphapose
                                     else ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    ranges = [head.keypoints or (0, len(card.skeleton.keypoints)) for head in card.heads]
    assert (ranges[0][0], ranges[-1][1]) == (0, len(card.skeleton.keypoints))
    assert all(a[1] == b[0] for a, b in zip(ranges, ranges[1:]))
    for head in card.heads:
        assert (head.stride, head.split) == ((0, 2.0) if head.kind == "simcc" else (4, 0.0))
        assert head.format == ("quarter" if head.kind == "heatmap" else None)
        assert all(ref.channels == head.keypoints for _, ref in head.outputs)


def test_wb_export_verify_and_inspect_take_it(exported, capsys):
    result = verify_checkpoint(exported.checkpoint, exported.onnx, options=VerifyOptions(inputs=1))
    assert result.passed, result
    assert (result.network, result.divergence) == (exported.case.name, None)
    assert {row.output for row in result.rows} == set(exported.loaded.architecture.outputs)
    assert main(["inspect", exported.onnx]) == 0
    assert "GMAC" in capsys.readouterr().out


def test_all_networks_are_tested_once():
    elsewhere = ["zoomnet"]  # tests/export/test_zoomnet.py
    assert sorted([case.name for case in CASES] + elsewhere) == sorted(network.name for network in TOP_DOWN_NETWORKS)
    assert set(TESTED) < set(ARCHITECTURES)
