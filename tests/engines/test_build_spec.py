"""What a user asks for: contradictions refused, and said again as a command."""
import json
import shlex

import pytest

from wholebody.card import InputSpec, ModelCard
from wholebody.cli.export_build import _spec, add_build
from wholebody.cli.frame import Parser
from wholebody.engines.build_spec import BuildSpec, build_command, check_spec, spec_from_dict, spec_to_dict
from wholebody.engines.engine import TensorInfo
from wholebody.engines.shapes import input_shapes
from wholebody.errors import BuildError

FULL = BuildSpec("int8", (32, 32), (64, 96), (128, 128), 1, 4, 256, 3, 0, True, "my cache", True, True, True, "",
                 "table.json", ("conv 1", "conv2"), True)
SPECS = [BuildSpec(), BuildSpec("fp32", (64, 96), (64, 96), (64, 96)), FULL, BuildSpec("fp16", target="rtx:8.6,12.0"),
         BuildSpec("fp16", min_batch=3, max_batch=3), BuildSpec("fp16", min_batch=1, max_batch=1)]


@pytest.mark.parametrize("spec", SPECS)
def test_a_spec_survives_json(spec):
    assert spec_from_dict(json.loads(json.dumps(spec_to_dict(spec))), "here") == spec


@pytest.mark.parametrize("spec", SPECS)
def test_the_command_that_it_says_asks_for_the_very_same(spec):
    parser = Parser(prog="wb-export")
    add_build(parser.commands())
    args = parser.parse_args(shlex.split(build_command(spec, "a net.onnx", "it's.engine"))[1:])
    assert (_spec(args), args.model, args.output) == (spec, "a net.onnx", "it's.engine")


REFUSED = [
    (BuildSpec("fp8"), "expected a precision"), (BuildSpec(target="rtx:86"), "expected --target rtx:8.6"),
    (BuildSpec(target="cuda:8.6"), "expected --target"), (BuildSpec(min_size=(1, 1)), "together"),
    (BuildSpec("fp16", (9, 9), (8, 8), (10, 10)), "--min-size <= --opt-size"),
    (BuildSpec(min_batch=2, max_batch=1), "batch"), (BuildSpec("fp32", dla_core=0), "a DLA computes in FP16 or INT8"),
    (BuildSpec(gpu_fallback=True), "goes with --dla"), (BuildSpec(calibration="t"), "goes with --int8")]


@pytest.mark.parametrize("spec, message", REFUSED, ids=[case[1] for case in REFUSED])
def test_a_contradiction_is_refused(spec, message):
    with pytest.raises(BuildError, match=message):
        check_spec(spec)


def test_an_unknown_field_is_refused():
    with pytest.raises(BuildError, match="here: expected the fields"):
        spec_from_dict({"precison": "fp16"}, "here")


IMAGE = TensorInfo("image", ("N", 3, "H", "W"), "float32")
CARD = ModelCard("net", InputSpec("image", multiple=8), ())
ONE = BuildSpec("fp16", (64, 96), (64, 96), (64, 96))
SHAPES = [
    ("one size", IMAGE, CARD, ONE, "image 1x3x64x96"), ("without a card", IMAGE, None, ONE, "image 1x3x64x96"),
    ("NHWC", IMAGE._replace(shape=("N", "H", "W", 3)), None, ONE, "image 1x64x96x3"),
    ("a range", IMAGE, CARD, BuildSpec("fp16", (32, 32), (64, 96), (128, 128), 1, 2),
     "image 1x3x32x32 to 2x3x128x128, tuned for 2x3x64x96"),
    ("its own size", IMAGE._replace(shape=(4, 3, 256, 192)), None, BuildSpec(), "image 4x3x256x192"),
    ("the card's size", IMAGE, CARD._replace(input=InputSpec("image", size=(256, 192))), BuildSpec(),
     "image 1x3x256x192"),
    ("no picture", IMAGE._replace(shape=(1, 7)), None, BuildSpec(), "image 1x7")]


@pytest.mark.parametrize("info, card, spec, expected", [c[1:] for c in SHAPES], ids=[c[0] for c in SHAPES])
def test_shapes_come_from_network_card_and_wishes(info, card, spec, expected):
    shape, = input_shapes([info], card, spec, "net.onnx")
    assert str(shape) == expected


MISFITS = [
    ("no size", IMAGE, BuildSpec(), "takes any size, an engine needs one: add --size WxH"),
    ("another size", IMAGE._replace(shape=(1, 3, 256, 192)), ONE, "is fixed, and --size asks for 64 instead of 256"),
    ("another batch", IMAGE._replace(shape=(1, 3, 64, 96)), BuildSpec(min_batch=2, max_batch=2), "--batch asks for 2"),
    ("odd sides", IMAGE, BuildSpec("fp16", (63, 96), (63, 96), (63, 96)), "sides that 8 divides, got 96x63"),
    ("a list", IMAGE._replace(shape=("n",)), BuildSpec(), "dynamic and no picture"),
    ("unknown channels", IMAGE._replace(shape=("N", "C", "H", "W")), ONE, "the channels of input"),
    ("nothing", None, ONE, "has no input")]


@pytest.mark.parametrize("info, spec, message", [c[1:] for c in MISFITS], ids=[c[0] for c in MISFITS])
def test_a_shape_that_does_not_fit_is_refused_with_the_flag(info, spec, message):
    with pytest.raises(BuildError, match=message):
        input_shapes([info] if info else [], CARD, spec, "net.onnx")
