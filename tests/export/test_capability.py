"""wb-export inspect --capability: NVIDIA's real parser where it is installed, and what is said where it is not."""
import json
import sys

import onnx
import pytest
from onnx import TensorProto, helper
from real_builders import need_rtx
from tensorrt_setting import use_tensorrt

import wholebody.engines.trt_module
from wholebody.cli.export import main
from wholebody.errors import MissingPackage, ModelError
from wholebody.export import capability


def write(path, *nodes, opset=19):
    """x [1, 3, 8, 8] -> y; w are weights of a 1x1 convolution, o the offsets of a deformable one."""
    graph = helper.make_graph(
        nodes, "net", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 8, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 3, 8, 8])],
        [helper.make_tensor("w", TensorProto.FLOAT, [3, 3, 1, 1], [0.5] * 9),
         helper.make_tensor("o", TensorProto.FLOAT, [1, 2, 8, 8], [0.0] * 128)])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset), helper.make_opsetid("mine", 1)],
                                ir_version=8), str(path))


def relu(source, target):
    return helper.make_node("Relu", [source], [target], f"relu_{target}")


def deform(source, target):
    return helper.make_node("DeformConv", [source, "w", "o"], [target], f"deform_{target}")


def mine(source, target):
    return helper.make_node("Foo", [source], [target], f"foo_{target}", domain="mine")


def wrong_groups(source, target):
    return helper.make_node("Conv", [source, "w"], [target], f"conv_{target}", group=7)


GRAPHS = [
    ("all is taken", [relu("x", "a"), relu("a", "y")], {"Relu": 2}, [], []),
    ("one operator twice", [deform("x", "a"), relu("a", "b"), deform("b", "y")], {"Relu": 1},
     [("DeformConv", 2, "Plugin not found", [0, 2])], []),
    ("two operators", [relu("x", "a"), deform("a", "b"), mine("b", "y")], {"Relu": 1},
     [("DeformConv", 1, "Plugin not found", [1]), ("mine.Foo", 1, "Plugin not found", [2])], []),
    ("behind a node of one's own nothing is known", [mine("x", "a"), relu("a", "b"), relu("x", "c"),
                                                     helper.make_node("Add", ["b", "c"], ["y"], "add")], {"Relu": 1},
     [("mine.Foo", 1, "Plugin not found", [0])],
     [("Relu", 1, "behind node 0, Foo foo_a", [1]), ("Add", 1, "behind node 0, Foo foo_a", [3])]),
    ("a fault of one node", [wrong_groups("x", "a"), relu("x", "y")], {"Relu": 1},
     [("Conv", 1, "Kernel weight dimension failed to broadcast", [0])], []),
]


@pytest.mark.parametrize(("nodes", "supported", "unsupported", "unknown"), [case[1:] for case in GRAPHS],
                         ids=[case[0] for case in GRAPHS])
def test_each_node_has_its_verdict(tmp_path, capsys, nodes, supported, unsupported, unknown):
    need_rtx()
    write(tmp_path / "net.onnx", *nodes)
    assert main(["inspect", str(tmp_path / "net.onnx"), "--capability", "--json"]) == (3 if unsupported else 0)
    report = json.loads(capsys.readouterr().out)["capability"]
    assert report["parser"].startswith("TensorRT-RTX 1.")
    assert (report["taken"], report["nodes"], report["supported"]) == (not unsupported, len(nodes), supported)
    for verdict, expected in (("unsupported", unsupported), ("unknown", unknown)):
        assert [(g["operator"], g["count"], [n["index"] for n in g["nodes"]]) for g in report[verdict]] == [
            (operator, count, indices) for operator, count, _, indices in expected]
        for group, (_, _, reason, _) in zip(report[verdict], expected):
            assert reason in group["reason"]


def test_people_read_it_by_operator(tmp_path, capsys):
    need_rtx()
    write(tmp_path / "net.onnx", relu("x", "a"), *(deform(f"{'abcdef'[n]}", f"{'bcdefy'[n]}") for n in range(6)))
    assert main(["inspect", str(tmp_path / "net.onnx"), "--capability"]) == 3
    lines = capsys.readouterr().out.splitlines()[-3:]
    assert lines[0].startswith("parser  TensorRT-RTX 1.")
    assert lines[0].endswith(" takes 1 of 7 nodes")
    assert lines[1] == "        supported: Relu 1"
    assert lines[2].startswith("        unsupported: DeformConv 6: ")
    assert lines[2].endswith("(node 1 deform_b, 2 deform_c, 3 deform_d, 4 deform_e, 5 deform_f, ...)")


def test_without_a_parser_one_line_says_what_to_install(tmp_path, monkeypatch, capsys):
    write(tmp_path / "net.onnx", relu("x", "y"))

    def absent(kind=""):
        raise MissingPackage("tensorrt_rtx_bindings is not installed. Install it: pip install 'wholebody[rtx]'")

    monkeypatch.setattr(capability, "load_tensorrt", absent)
    assert main(["inspect", str(tmp_path / "net.onnx"), "--capability"]) == 1
    said = capsys.readouterr()
    assert said.err == ("wb-export: error: there is no TensorRT to ask: tensorrt is not installed, and "
                        "tensorrt_rtx_bindings is not installed. Install it: pip install 'wholebody[rtx]'\n")
    assert said.out == ""


def test_an_engine_is_not_asked_about(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["inspect", "net.engine", "--capability"])
    assert stop.value.code == 2
    assert "--capability is asked of ONNX files" in capsys.readouterr().err


STAND_IN = """
import os, pathlib, sys
assert sys.argv[1:] == ["inspect", "capability", "model.onnx", "-o", "answer"]
assert os.environ["POLYGRAPHY_USE_TENSORRT_RTX"] == "0"
pathlib.Path("answer").mkdir()
pathlib.Path("answer/results.txt").write_text(%r)
"""
TABLE = """===== Summary =====
Stack trace  | Operator | Node   | Reason
-------------------------------------------
             | Relu     | relu_a | In node 0 with name: relu_a and operator: Relu (importRelu): UNSUPPORTED_NODE: a|b
             | Relu     | relu_y | In node 1 with name: relu_y and operator: Relu (importRelu): INVALID_NODE: none
"""
WHOLE_FILE = TABLE.replace("node 0", "node -1")


@pytest.fixture
def tensorrt(tmp_path, monkeypatch):
    """TensorRT 10.3.0, of which polygraphy here knows only what these tests say."""
    use_tensorrt(monkeypatch, tmp_path, "10.3.0")
    write(tmp_path / "net.onnx", relu("x", "a"), relu("a", "y"))
    return wholebody.engines.trt_module.load_tensorrt()


def test_tensorrt_is_asked_before_rtx_and_several_reasons_are_read(tmp_path, monkeypatch, tensorrt):
    monkeypatch.setattr(capability, "_RUN_POLYGRAPHY", STAND_IN % TABLE)
    found = capability.find_parser()
    assert str(found) == str(tensorrt)
    nodes = capability.inspect_capability(str(tmp_path / "net.onnx"), found)
    assert [(node.verdict, node.reason) for node in nodes] == [
        ("unsupported", "UNSUPPORTED_NODE: a|b"), ("unsupported", "INVALID_NODE: none")]


FAILURES = [
    ("a reason that is of no node", STAND_IN % WHOLE_FILE, "the parser does not take it: | Relu"),
    ("a table that cannot be read", STAND_IN % "who knows", "the parser does not take it: who knows"),
    ("polygraphy that fails", "import sys; print('[!] oh'); sys.exit(7)", r"failed \(exit code 7\): \[!\] oh"),
    ("a parser that crashes", "import os; os.abort()", r"failed \(exit code -6\): it said nothing"),
    ("no word at all", "pass", r"failed \(exit code 0\): it said nothing"),
]


@pytest.mark.parametrize(("program", "says"), [case[1:] for case in FAILURES], ids=[case[0] for case in FAILURES])
def test_no_answer_is_one_line(tmp_path, monkeypatch, tensorrt, program, says):
    monkeypatch.setattr(capability, "_RUN_POLYGRAPHY", program)
    with pytest.raises(ModelError, match=says) as caught:
        capability.inspect_capability(str(tmp_path / "net.onnx"), tensorrt)
    assert "\n" not in str(caught.value)


def test_a_parser_that_does_not_come_back_is_left(tmp_path, monkeypatch, tensorrt):
    monkeypatch.setattr(capability, "_RUN_POLYGRAPHY", "import time; time.sleep(60)")
    monkeypatch.setattr(capability, "_TIMEOUT_S", 0.5)
    with pytest.raises(ModelError, match="gave no answer in"):
        capability.inspect_capability(str(tmp_path / "net.onnx"), tensorrt)


def test_what_is_no_model_is_refused(tmp_path, tensorrt):
    (tmp_path / "text.onnx").write_text("hello")
    with pytest.raises(ModelError, match="onnx cannot read .*text.onnx"):
        capability.inspect_capability(str(tmp_path / "text.onnx"), tensorrt)
    assert sys.modules["tensorrt"] is tensorrt.module
