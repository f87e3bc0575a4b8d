"""Costs told from the operators are those that the onnx package's shape inference gives."""
import pathlib
import subprocess
import sys

import pytest

from wholebody.default_model import default_model_path
from wholebody.engines.network_cost import network_cost
from wholebody.engines.planning import fixed_size, read_network
from wholebody.export.macs import count_macs
from wholebody.jetson.published import published_table

ROOT = pathlib.Path(__file__).resolve().parents[2]
WEIGHTS = ROOT.parent / "shared" / "assets" / "weights"
# pfld's shapes are beyond the onnx package: told here, not there.
ASSETS = ("hand_landmark_full", "human-pose-estimation-0001.fp32", "human-pose-estimation-0001.int8-qdq", "rtmdet-nano",
          "tfpose_mnv2small_coco18", "ultralight_simplepose_coco17", "yolox_nano")
pytest.importorskip("onnx", reason="infers shapes: pip install '.[export]'")


def same(path: str, size: tuple[int, int] | None = None) -> None:
    network = read_network(path)
    height, width = size or fixed_size(network) or (368, 656)
    told = network_cost(network.graph, height, width, network.layout, path)
    assert told.flop == 2 * sum(layer.macs for layer in count_macs(path, height, width, network.layout))


@pytest.mark.parametrize("path", [default_model_path(), str(ROOT / "examples/mannequins/mannequin.onnx")],
                         ids=["wholebody-lite", "mannequin"])
@pytest.mark.parametrize("size", [(368, 656), (64, 96)], ids=["large", "small"])
def test_networks_of_the_repository_cost_what_onnx_says(path: str, size: tuple[int, int]) -> None:
    same(path, size)


@pytest.mark.parametrize("name", ASSETS)
def test_foreign_networks_cost_what_onnx_says(name: str) -> None:
    path = WEIGHTS / f"{name}.onnx"
    if not path.is_file():
        pytest.skip(f"{path} is missing")
    same(str(path))


def test_a_network_beyond_the_onnx_package_is_told_all_the_same() -> None:
    path = WEIGHTS / "pfld.onnx"
    if not path.is_file():
        pytest.skip(f"{path} is missing")
    assert read_network(str(path)).cost((112, 112)).flop == pytest.approx(0.306e9, rel=0.01)


@pytest.mark.long
def test_the_costs_of_the_table_are_those_of_the_networks() -> None:
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        import plan_figures
    finally:
        sys.path.remove(str(ROOT / "benchmarks"))
    table = published_table()["networks"]
    assert sorted(table) == sorted(plan_figures.key_of(*network) for network in plan_figures.NETWORKS)
    for network in plan_figures.NETWORKS:
        assert plan_figures.cost_of(*network) == table[plan_figures.key_of(*network)], network


def test_the_tables_of_the_page_are_those_of_the_command() -> None:
    said = subprocess.run([sys.executable, ROOT / "benchmarks/plan_figures.py"], capture_output=True, encoding="utf-8",
                          check=True).stdout.strip()
    page = (ROOT / "docs/boards.md").read_text(encoding="utf-8")
    assert said in page, "python benchmarks/plan_figures.py --doc docs/boards.md"
