"""profile-engine over real networks: the built-in one, a known one and a pair, and whether its times add up."""
import json
import pathlib
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from wholebody.cli.export import main as wb_export
from wholebody.cli.profile import main as profile_engine
from wholebody.default_model import default_model_path
from wholebody.runtime.estimator import Estimator, open_estimator
from wholebody.runtime.profile.rounds import timed
from wholebody.runtime.profile.schema import problems
from wholebody.runtime.profile.ways import Again, InTurn, PacedFrames, fly, waits
from wholebody.runtime.sources import open_source

ROOT = pathlib.Path(__file__).resolve().parents[2]
ASSETS = ROOT.parent / "shared" / "assets"
PHOTOGRAPHS = ASSETS / "images" / "coco_val2017"
DRAWN = ROOT / "src" / "wholebody" / "data" / "gate" / "drawn_10.jpg"
BUILT_IN = ["--net-resolution", "256x144"]
KNOWN = ("known", "pair")


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[str, list[str]]]:
    """Model and options of profile-engine: `built-in`, `known` (OMZ's) or `pair` (YOLOX and SimplePose)."""
    folder = tmp_path_factory.mktemp("networks")

    def network(name: str) -> tuple[str, list[str]]:
        if name == "built-in":
            return default_model_path(), BUILT_IN
        if not PHOTOGRAPHS.is_dir():
            pytest.skip("needs the networks of ../shared/assets, which is missing")
        for file, preset in (("human-pose-estimation-0001.fp32", "omz-human-pose"), ("yolox_nano", "yolox"),
                             ("ultralight_simplepose_coco17", "simplepose")):
            path = folder / f"{preset}.onnx"
            if not path.exists():
                weights = str(ASSETS / "weights" / f"{file}.onnx")
                assert wb_export(["card", weights, "--preset", preset, "-o", str(path)]) == 0
        if name == "known":
            return str(folder / "omz-human-pose.onnx"), ["--net-resolution", "256x144"]
        return str(folder / "simplepose.onnx"), ["--detector", str(folder / "yolox.onnx")]
    return network


def opened(network: Callable[[str], tuple[str, list[str]]], name: str) -> Any:
    model, words = network(name)
    return open_estimator(model, threads=1, **{words[0][2:].replace("-", "_"): words[1]})


def picture(name: str) -> npt.NDArray[np.uint8]:
    path = sorted(PHOTOGRAPHS.glob("*.jpg"))[0] if name in KNOWN else DRAWN
    with open_source(str(path)) as source:
        return next(iter(source)).image


@pytest.mark.parametrize("name", ["built-in", *KNOWN])
def test_a_report_is_as_its_schema_says(networks: Callable[[str], tuple[str, list[str]]], tmp_path: pathlib.Path,
                                        name: str) -> None:
    model, words = networks(name)
    out, page = tmp_path / "out.json", tmp_path / "page.html"
    assert profile_engine([model, *words, "-q", "--seconds", "3", "--people", "1,5", "--sweep", "--batches", "1,2",
                           "--json", str(out), "--report", str(page)]) == 0
    told = json.loads(out.read_text())
    assert problems(told) == []
    assert [own["network"] for own in told["layers"]] == (["detect", "pose"] if name == "pair" else ["engine"])
    assert told["sweep"]["of"] == ("people" if name == "pair" else "frames")
    assert told["expected"] is not None
    assert 0 < told["expected"]["share"] <= 1
    assert page.stat().st_size < 300_000


@pytest.mark.parametrize("name", ["built-in", *KNOWN])
def test_in_turn_stages_add_up_to_the_frame_and_in_flight_to_camera_to_result(
        networks: Callable[[str], tuple[str, list[str]]], name: str) -> None:
    image = picture(name)
    with opened(networks, name) as estimate:
        in_turn = InTurn(estimate, image)
        in_turn.frame()
        for values in in_turn.stage_ms.values():
            values.clear()
        frames = [in_turn.frame() for _ in range(15)]
        together = [sum(own) for own in zip(*in_turn.stage_ms.values(), strict=True)]
        assert np.median([stages / frame for stages, frame in zip(together, frames, strict=True)]) > 0.97
        for source in (Again(image), PacedFrames(image, 20.0)):
            flight = fly(source, estimate, 3, 0.8)
            for result, wait in zip(flight.results, waits(flight.results), strict=True):
                stages = sum(ms for stage, ms in result.stage_ms.items() if stage != "write")
                assert stages + wait == pytest.approx(result.latency_ms, abs=0.2)


@pytest.mark.parametrize("name", ["built-in", "known"])
def test_engine_alone_is_a_bare_run_of_the_session(networks: Callable[[str], tuple[str, list[str]]],
                                                   name: str) -> None:
    """Interleaved, by the wall and by the processor's time; 2 % is the aim, twice that fails, at the fourth go."""
    with opened(networks, name) as estimate:
        assert isinstance(estimate, Estimator)
        in_turn = InTurn(estimate, picture(name))
        in_turn.frame()
        lane: Any = estimate.lane
        session: Any = estimate.engine._session  # type: ignore[attr-defined]
        feed = {estimate.card.input.name: lane.groups[0].input.copy()}

        def bare() -> None:
            session.run(None, feed)

        def both(run: Callable[[], Any]) -> npt.NDArray[np.float64]:
            before = time.process_time()
            return np.array([timed(run), 1e3 * (time.process_time() - before)])
        off: list[float] = []
        while len(off) < 4 and (not off or off[-1] > 0.02):
            ratios = np.median([both(bare) / both(in_turn.engine) for _ in range(40)], axis=0)
            off.append(float(np.abs(ratios - 1).min()))
        assert min(off) <= 0.04, off
