"""Which nodes of an ONNX file TensorRT's parser takes, asked through `polygraphy inspect capability`.

The parser stops at the first node it does not take. That node is cut out and the rest asked again: what it would give
becomes an input. Where nobody can say what shape that has, the nodes behind it remain unknown.
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from typing import Any

import wholebody
from wholebody.engines.trt_module import RTX, TENSORRT, TensorRT, load_tensorrt
from wholebody.errors import MissingPackage, ModelError
from wholebody.packages import require

SUPPORTED, UNSUPPORTED, UNKNOWN = "supported", "unsupported", "unknown"
_REPORTED = re.compile(r"In node (-?\d+) with name: .*? and operator: \S* \(.*?\): (\w+): (.*)")
_WHOLE_OPERATOR = "Plugin not found"  # holds for each node of that operator
_RUN_POLYGRAPHY = "import sys; from polygraphy.tools import main; sys.exit(main())"
_TIMEOUT_S = 900.0
# polygraphy asks for TensorRT-RTX under this name, which no package has.
_RTX_MODULE = "import sys\nfrom wholebody.engines.rtx_libraries import load_rtx\nsys.modules[__name__] = load_rtx()\n"


@dataclass(frozen=True)
class NodeVerdict:
    """What the parser says of one node."""

    index: int
    name: str
    operator: str
    verdict: str
    reason: str = ""


def find_parser() -> TensorRT:
    """TensorRT where it is installed, else TensorRT-RTX; MissingPackage says what to install."""
    try:
        return load_tensorrt(TENSORRT)
    except MissingPackage:
        pass
    try:
        return load_tensorrt(RTX)
    except MissingPackage as error:
        raise MissingPackage(f"there is no TensorRT to ask: tensorrt is not installed, and {error}") from error


def inspect_capability(path: str, parser: TensorRT) -> list[NodeVerdict]:
    """A verdict on every node, in the file's order."""
    require("polygraphy", "export")
    onnx = require("onnx", "export")
    try:
        model = onnx.load(path)
    except Exception as error:  # protobuf's and the operating system's own
        raise ModelError(f"onnx cannot read {path}: {' '.join(str(error).split())[:300]}")
    return _Question(model, path).ask_until_answered(parser)


class _Question:
    """A graph that loses the nodes the parser does not take."""

    def __init__(self, model: Any, path: str) -> None:
        self.model, self.path = model, path
        self.nodes = list(model.graph.node)
        self.left = list(range(len(self.nodes)))  # what the graph still has
        self.verdicts: dict[int, tuple[str, str]] = {}
        self.known = _known_tensors(model)

    def ask_until_answered(self, parser: TensorRT) -> list[NodeVerdict]:
        """One round for each reason that the parser has."""
        while self.left:
            reports = _ask(self.model, parser, self.path)
            if not reports:
                break
            for place, reason in reports:
                self._refused(self.left[place], reason)
            self.left = [index for index in self.left if index not in self.verdicts]
            self._cut()
        return [NodeVerdict(index, node.name, f"{node.domain}.{node.op_type}" if node.domain else node.op_type,
                            *self.verdicts.get(index, (SUPPORTED, ""))) for index, node in enumerate(self.nodes)]

    def _refused(self, index: int, reason: str) -> None:
        refused = self.nodes[index]
        same = [other for other in self.left if _WHOLE_OPERATOR in reason and
                (self.nodes[other].op_type, self.nodes[other].domain) == (refused.op_type, refused.domain)]
        for other in {index, *same}:
            self.verdicts[other] = (UNSUPPORTED, reason)
        lost = {name for other in {index, *same} for name in self.nodes[other].output if name not in self.known}
        for other in self.left:
            if other not in self.verdicts and not lost.isdisjoint(self.nodes[other].input):
                self.verdicts[other] = (UNKNOWN, f"behind node {index}, {refused.op_type} {refused.name}".rstrip())
                lost.update(self.nodes[other].output)

    def _cut(self) -> None:
        """The graph of what is left: what it lacks is an input, and what nobody takes an output."""
        graph = self.model.graph
        del graph.node[:]
        graph.node.extend(self.nodes[index] for index in self.left)
        made = {name for node in graph.node for name in node.output}
        taken = {name for node in graph.node for name in node.input if name}
        there = {value.name for value in (*graph.input, *graph.initializer)}
        graph.input.extend(self.known[name] for name in sorted(taken - made - there))
        del graph.output[:]
        empty = require("onnx").helper.make_empty_tensor_value_info
        graph.output.extend(self.known.get(name) or empty(name) for name in sorted(made - taken) if name)


def _known_tensors(model: Any) -> dict[str, Any]:
    """Tensors within the graph whose type and number of dimensions are known."""
    onnx = require("onnx")
    try:
        graph = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    except Exception:  # of a graph that is wrong less is known
        graph = model.graph
    return {value.name: value for value in (*graph.value_info, *graph.output)
            if value.type.tensor_type.elem_type and value.type.tensor_type.HasField("shape")}


def _ask(model: Any, parser: TensorRT, path: str) -> list[tuple[int, str]]:
    """Place and reason of the nodes that the parser names; none when it takes the whole graph."""
    with tempfile.TemporaryDirectory() as folder:
        place = pathlib.Path(folder)
        (place / "model.onnx").write_bytes(model.SerializeToString())
        (place / "tensorrt_rtx.py").write_text(_RTX_MODULE, encoding="utf-8")
        ours = str(pathlib.Path(wholebody.__file__).resolve().parents[1])
        rtx = parser.module.__name__ != "tensorrt"
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([folder, ours, *filter(None, sys.path)]),
                       "POLYGRAPHY_USE_TENSORRT_RTX": "1" if rtx else "0"}
        command = [sys.executable, "-c", _RUN_POLYGRAPHY, "inspect", "capability", "model.onnx", "-o", "answer"]
        try:
            done = subprocess.run(command, cwd=folder, env=environment, capture_output=True,
                                  encoding="utf-8", errors="replace", timeout=_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            raise ModelError(f"{path}: {parser} gave no answer in {_TIMEOUT_S:.0f} s")
        answer = place / "answer" / "results.txt"
        if answer.is_file():
            return _read_answer(answer.read_text(encoding="utf-8"), len(model.graph.node), path)
        if done.returncode != 0 or "fully supported" not in done.stdout:
            raise ModelError(f"{path}: polygraphy inspect capability with {parser} failed (exit code "
                             f"{done.returncode}): {_last_line(done.stdout + done.stderr)}")
    return []


def _read_answer(text: str, nodes: int, path: str) -> list[tuple[int, str]]:
    """The rows of polygraphy's table; a reason that names no node is of the file as a whole."""
    found = [(int(match.group(1)), f"{match.group(2)}: {match.group(3).strip()}")
             for match in _REPORTED.finditer(text)]
    if not found or any(not 0 <= place < nodes for place, _ in found):
        raise ModelError(f"{path}: the parser does not take it: {_last_line(text)}")
    return found


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else "it said nothing"
