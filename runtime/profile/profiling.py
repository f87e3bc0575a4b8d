"""profile_model: opens a model, times it in every way, and puts together what there is to tell."""
import functools
import os
import pathlib
import time
from typing import TYPE_CHECKING, Any, Callable, Dict, List, NamedTuple, Optional, Tuple

import numpy as np

from wholebody.errors import WholebodyError
from wholebody.poses import Frame, Poses
from wholebody.runtime.bundle.opening import made_ready
from wholebody.runtime.cuda_paf_lane import CudaPafLane
from wholebody.runtime.estimator import Estimator, EstimatorOptions
from wholebody.runtime.lane import Stage
from wholebody.runtime.paf_lane import PafLane, in_frame
from wholebody.runtime.parts.estimator import PartOptions
from wholebody.runtime.parts.opening import open_whole
from wholebody.runtime.profile import conditions as board
from wholebody.runtime.profile import processor
from wholebody.runtime.profile.crowds import drawn_boxes, drawn_maps
from wholebody.runtime.profile.expected import Part, Where, bottleneck, expected
from wholebody.runtime.profile.gpu import copy_rate, gpu_memory, gpu_of
from wholebody.runtime.profile.networks import Model, bodies_lane, bodies_of, geometry_of, layers_of, networks_of
from wholebody.runtime.profile.rounds import LEAST_ROUNDS, SETTLED, Timed, measure, timed, warm_up
from wholebody.runtime.profile.spread import drift, half_width, in_blocks, interval, timing
from wholebody.runtime.profile.sweep import Sweep, sweep
from wholebody.runtime.profile.ways import NETWORKS, WAITING, Again, Flight, InTurn, PacedFrames, fly, on_host, waits
from wholebody.runtime.topdown.estimator import TopDownOptions

if TYPE_CHECKING:
    import numpy.typing as npt

FORMAT, VERSION = "wholebody-profile", 1
BLOCKS = 12             # of what is not measured in rounds
_TAIL = 100             # runs that a p99 takes at least
_MOST_RUNS = 2000       # of one crowd
_DRIFTED = 0.05         # between the first third and the last: beyond this it is marked
_WARM_UP, _ROUNDS, _FLIGHT, _CAMERA, _PEOPLE, _LAYERS = 0.1, 0.4, 0.15, 0.15, 0.1, 0.1  # of the time
_SWEEP = 0.5            # besides


class ProfileOptions(NamedTuple):
    """How long and at what is looked."""

    seconds: float = 20.0                   # altogether, about
    fps: float = 30.0                       # of the camera that is none
    people: Tuple[int, ...] = (1, 5, 10, 20, 50)
    in_flight: int = 3
    precision: str = "fp16"                 # of a TensorRT engine, for what to expect
    sweep: Optional[Sweep] = None           # takes half of the seconds more


def profile_model(model: str, image: "npt.NDArray[np.uint8]", options: ProfileOptions = ProfileOptions(),
                  on_step: Callable[[str], None] = lambda _: None, **opening: Any) -> Dict[str, Any]:
    """The whole profile of a model over one picture, as profile.schema.json describes it; `opening`: open_whole."""
    load, at = os.getloadavg()[0], time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    on_step("open")
    started = time.perf_counter()  # making CUDA's context is part of the start, whoever needs it first
    with gpu_memory(model) as memory:
        with _open(model, opening) as estimate:
            opened = time.perf_counter()
            estimate.process(Frame(image, 0, time.monotonic(), "first"))
            start_up = {"open_ms": _rounded(1e3 * (opened - started)),
                        "first_frame_ms": _rounded(1e3 * (time.perf_counter() - opened))}
            with board.Watch(also=memory.look) as watch:
                told = _Profile(estimate, image, options, on_step, opening.get("threads", 0)).measure(watch)
                known, unknown = board.conditions(watch)
            memory.look()
            on_gpu = gpu_of(estimate) is not None
    told["measured_at"], told["start_up"], told["conditions"] = at, start_up, known
    told["memory"] = {"host_mb": board.memory_mb(), "device_mb": memory.told() if on_gpu else None}
    if not on_gpu:
        unknown["memory of the device"] = "the network runs on the CPU"
    told["not_measured"].update(unknown)
    told["marks"] += known["throttled"] + board.moved_clocks(known) + board.others_at_work(load)
    return told


def _open(model: str, opening: Dict[str, Any]) -> Model:
    """A model file, or a bundle, whose own options only give way to those that were really chosen."""
    if not pathlib.Path(model).is_dir():
        return open_whole(model, **opening)
    usual = dict(EstimatorOptions()._asdict(), **dict(TopDownOptions()._asdict(), **PartOptions()._asdict()))
    path, options = made_ready(model, {name: value for name, value in opening.items() if value != usual.get(name)})
    return open_whole(path, **options)


class _Profile:
    """One model, one picture."""

    def __init__(self, estimate: Model, image: "npt.NDArray[np.uint8]", options: ProfileOptions,
                 on_step: Callable[[str], None], threads: int = 0) -> None:
        self.threads = threads
        self.estimate, self.image, self.options, self.on_step = estimate, image, options, on_step
        self.in_turn = InTurn(estimate, image)
        self.unknown: Dict[str, str] = {}
        self.marks: List[str] = []
        self.cpu_ms: Dict[str, List[float]] = {}
        self.core_ms: List[float] = []
        self.waited: Optional[float] = None     # for a core

    def measure(self, watch: board.Watch) -> Dict[str, Any]:
        """Everything but what concerns the process and the board."""
        figures, stages = self._rounds()
        self.on_step("frames in flight")
        before = len(watch.samples)
        flight = fly(Again(self.image), self.estimate, self.options.in_flight, _FLIGHT * self.options.seconds)
        energy = self._energy(flight, board.watts(watch.samples[before:]))
        self.on_step("camera to result")
        camera = fly(PacedFrames(self.image, self.options.fps), self.estimate, self.options.in_flight,
                     _CAMERA * self.options.seconds)
        figures["camera_to_result"] = timing(in_blocks([r.latency_ms for r in camera.results], BLOCKS))
        camera_stages = self._camera_stages(camera)
        self.cpu_ms["camera_to_result"] = processor.each_of(camera.cpu, BLOCKS)
        people = self._people()
        medians = {name: spread["p50"] for name, spread in stages.items()}
        watch.rest()
        layers, swept = self._layers(medians), self._sweep()
        return {"format": FORMAT, "version": VERSION, "model": self._about(), "machine": board.machine(),
                "settings": self._settings(), "figures": figures, "processor": self._processor(),
                "in_flight": _rate(flight), "stages": stages,
                "camera": {"stages": camera_stages, "frames": len(camera.results), "dropped": camera.dropped},
                "people": people, "layers": layers, "sweep": swept, "energy": energy,
                "expected": self._expected(figures["engine"]["p50"]),
                "bottleneck": bottleneck(medians, camera_stages[WAITING]["p50"], figures["camera_to_result"]["p50"],
                                         not on_host(self.estimate.lane)),
                "marks": self.marks, "not_measured": self.unknown}

    def _rounds(self) -> Tuple[Dict[str, Any], Dict[str, Any]]:
        """Engine and pipeline, in turn, and the pipeline's stages."""
        contestants: Dict[str, Timed] = {"engine": self.in_turn.engine, "pipeline": self.in_turn.frame}
        self.on_step("warm-up")
        takes = warm_up(contestants, _WARM_UP * self.options.seconds)
        for values in self.in_turn.stage_ms.values():
            values.clear()
        self.on_step("engine and pipeline")
        before = processor.share_now()
        done = measure(contestants, _ROUNDS * self.options.seconds, takes)
        self.waited = processor.waited_since(before)
        self.cpu_ms, self.core_ms = dict(done.cpu_ms), done.core_ms
        figures = {name: timing(blocks) for name, blocks in done.blocks.items()}
        for name, told in figures.items():
            self._mark(name, told["blocks"], told["count"])
        rounds = max(len(blocks) for blocks in done.blocks.values())
        return figures, {name: timing(in_blocks(values, rounds)) for name, values in self.in_turn.stage_ms.items()}

    def _processor(self) -> Optional[Dict[str, Any]]:
        """What the networks' threads took of the CPU; None where a GPU does the work."""
        if not on_host(self.estimate.lane):
            return None
        if self.waited is not None and self.waited > processor.BUSY:
            self.marks.append("other programs took the cores: threads that could run waited %.0f %% as long as they ran"
                              % (100 * self.waited))
        return {"ms": {name: own for name, own in self.cpu_ms.items() if own},
                "core_ms": self.core_ms,
                "waited": None if self.waited is None else _rounded(self.waited)}

    def _mark(self, name: str, blocks: List[float], runs: int) -> None:
        width, drifted = half_width(blocks), drift(blocks)
        if width >= SETTLED:
            self.marks.append("%s: the median is known to within %.1f %% only; measure longer (--seconds), or with "
                              "nothing else at work" % (name, 100 * width))
        if runs < _TAIL:
            self.marks.append("%s: p99 of %d runs is hardly more than the slowest of them" % (name, runs))
        if abs(drifted) > _DRIFTED:
            self.marks.append("%s: it drifted, the last third took %+.0f %%; clocks or heat, or other programs"
                              % (name, 100 * drifted))

    def _energy(self, flight: Flight, power: Optional[float]) -> Optional[Dict[str, float]]:
        if power is None:
            self.unknown["joules per frame"] = "no power rail can be read here, or it was looked at too shortly"
            return None
        return {"watts": _rounded(power), "joules_per_frame": _rounded(power * flight.seconds / len(flight.results))}

    def _camera_stages(self, camera: Flight) -> Dict[str, Any]:
        names = [stage.name for stage in self.estimate.stages]
        values = {name: [result.stage_ms[name] for result in camera.results if name in result.stage_ms]
                  for name in names}
        values[WAITING] = waits(camera.results)
        return {name: timing(in_blocks(own, BLOCKS)) for name, own in values.items() if own}

    def _people(self) -> List[Dict[str, Any]]:
        """Decoding, and for a network for one person its share of the frame, of drawn crowds."""
        self.on_step("numbers of people")
        each, rows = _PEOPLE * self.options.seconds / max(len(self.options.people), 1), []
        for people in self.options.people:
            bottom_up = isinstance(bodies_of(self.estimate), Estimator)
            what, run = (self._of_maps if bottom_up else self._of_boxes)(people)
            run()
            values: List[float] = []
            end = time.perf_counter() + each
            while len(values) < LEAST_ROUNDS or (time.perf_counter() < end and len(values) < _MOST_RUNS):
                values.append(timed(run))
            rows.append({"people": people, "what": what, "timing": timing(in_blocks(values, BLOCKS))})
        return rows

    def _layers(self, stage_ms: Dict[str, float]) -> List[Dict[str, Any]]:
        self.on_step("layers")
        self.in_turn.frame()  # crowds were in the lane
        told, unknown = layers_of(networks_of(self.estimate, self.in_turn.people), stage_ms,
                                  _LAYERS * self.options.seconds)
        self.unknown.update(unknown)
        return told

    def _sweep(self) -> Optional[Dict[str, Any]]:
        if self.options.sweep is None:
            self.unknown["batches and resolutions"] = "not asked for: --sweep"
            return None
        self.on_step("batches and resolutions")
        told, unknown = sweep(self.estimate, self.image, self.options.sweep, _SWEEP * self.options.seconds)
        self.unknown.update(unknown)
        self.in_turn.frame()  # what comes after looks at the usual size
        return told

    def _of_maps(self, people: int) -> Tuple[str, Callable[[], None]]:
        bodies, lane = bodies_of(self.estimate), bodies_lane(self.estimate)
        assert isinstance(bodies, Estimator)
        self.in_turn.frame()  # the crowd before has no place in the network's input
        stride, geometry = bodies.card.head("paf").stride, geometry_of(self.estimate)
        heat, pafs = drawn_maps(bodies.skeleton, people, geometry.net_height // stride, geometry.net_width // stride)
        after = self.estimate.stages[len(bodies.stages):]  # of faces and hands
        decode: Callable[[], Poses]
        if isinstance(lane, CudaPafLane):
            where, decode = "on drawn maps in the GPU's memory", lane.decoder.decoding(heat, pafs)
        else:
            assert isinstance(lane, PafLane)
            where, decode = "on drawn maps", functools.partial(lane.decode, heat, pafs)

        def run() -> None:
            found = decode()
            if after:
                self._go_on(after, lambda: lane.poses.append(in_frame(found, geometry)))
        return "%s, %s" % (" + ".join(["decode"] + [stage.name for stage in after]), where), run

    def _of_boxes(self, people: int) -> Tuple[str, Callable[[], None]]:
        lane: Any = bodies_lane(self.estimate)
        names = [stage.name for stage in self.estimate.stages]
        after = self.estimate.stages[names.index("boxes") + 1:]
        found = drawn_boxes(people, self.image.shape[0], self.image.shape[1])

        def run() -> None:
            self._go_on(after, lambda: setattr(lane, "detections", [found]))
        return " + ".join(stage.name for stage in after) + ", of drawn boxes", run

    def _go_on(self, stages: Tuple[Stage, ...], found: Callable[[], None]) -> None:
        """The picture through the stages that follow what was found in it."""
        lane = self.estimate.lane
        lane.take([Frame(self.image, 0, time.monotonic(), "drawn")])
        found()
        for stage in stages:
            stage.run(lane)

    def _expected(self, engine_ms: float) -> Optional[Dict[str, Any]]:
        parts = [Part(fed.engine.path, fed.size, fed.inputs)
                 for fed in networks_of(self.estimate, self.in_turn.people)]
        device = gpu_of(self.estimate)
        try:
            rate = None if device is None else copy_rate(device)
            return expected([part for part in parts if part.times], engine_ms,
                            Where(self.options.precision, self.threads, rate))
        except WholebodyError as error:
            self.unknown["roofline"] = str(error)
            return None

    def _about(self) -> Dict[str, Any]:
        bodies = bodies_of(self.estimate)
        engine, size = bodies.engine, None
        if isinstance(bodies, Estimator):
            geometry = geometry_of(self.estimate)
            size = "%dx%d" % (geometry.net_width, geometry.net_height)
        elif bodies.card.input.size:
            size = "%dx%d" % bodies.card.input.size[::-1]
        return {"file": pathlib.Path(engine.path).name, "bytes": os.path.getsize(engine.path),
                "kind": "bottom-up" if isinstance(bodies, Estimator) else "top-down", "input": size,
                "skeleton": self.estimate.skeleton.name, "runs_on": type(engine).__name__,
                "networks": [stage.name for stage in self.estimate.stages if stage.name in NETWORKS]}

    def _settings(self) -> Dict[str, Any]:
        height, width = self.image.shape[:2]
        return {"seconds": self.options.seconds, "fps": self.options.fps, "in_flight": self.options.in_flight,
                "picture": "%dx%d" % (width, height), "people_in_picture": self.in_turn.people}


def _rate(flight: Flight) -> Dict[str, Any]:
    """Frames a second with several in flight, from blocks of the run."""
    rates = [len(block) / (block[-1] - start) for start, block in _stretches(flight.at) if block[-1] > start]
    rates = rates or [len(flight.results) / flight.seconds]
    low, high = interval(rates)
    return {"frames_per_second": _rounded(np.median(rates)), "low": _rounded(low), "high": _rounded(high),
            "frames": len(flight.results), "blocks": [_rounded(rate) for rate in rates]}


def _stretches(at: List[float]) -> List[Tuple[float, List[float]]]:
    """Blocks of moments, each with the last moment before it; the first frame only starts the clock."""
    found, start = [], at[0]
    for block in in_blocks(at[1:], BLOCKS) if len(at) > 1 else []:
        found.append((start, block))
        start = block[-1]
    return found


def _rounded(value: Any) -> float:
    return round(float(value), 4)
