"""Layer times of TensorRT: its IProfiler tells them, its EngineInspector what the layers are."""
from typing import TYPE_CHECKING, Any, Callable, Dict, List

from wholebody.engines.layer_times import LayersTimed, LayerTime, last_runs, run_for
from wholebody.engines.layers import Layer, inspect_layers
from wholebody.engines.trt_module import TensorRT
from wholebody.errors import ModelError

if TYPE_CHECKING:
    from wholebody.engines.trt_engine import TrtEngine

BY = "TensorRT's profiler"


class Reports:
    """What a profiler was told, run by run."""

    def __init__(self) -> None:
        self.times: Dict[str, List[float]] = {}
        self._seen: Dict[str, int] = {}

    def next_run(self) -> None:
        """What comes from now on is another run's."""
        self._seen = {}

    def add(self, name: str, ms: float) -> None:
        """One layer. A name that comes twice in a run is two layers' together."""
        if self._seen.get(name):
            self.times[name][-1] += ms
        else:
            self.times.setdefault(name, []).append(ms)
        self._seen[name] = 1


def make_profiler(trt: Any, reports: Reports) -> Any:
    """An IProfiler that writes down what it is told."""
    class Profiler(trt.IProfiler):  # type: ignore[misc]  # its base is only known now
        """Called by TensorRT when a run is done."""

        def __init__(self) -> None:
            trt.IProfiler.__init__(self)

        def report_layer_time(self, layer_name: str, ms: float) -> None:
            """One layer of a run."""
            reports.add(str(layer_name), float(ms))

    return Profiler()


def time_layers(engine: "TrtEngine", attach: Callable[[Any], None], run: Callable[[], Any],
                bare_ms: Callable[[], Any], seconds: float) -> LayersTimed:
    """Whole runs first, by the GPU's events where it has any; then, more slowly, layer by layer.

    `attach` gives the context a profiler; `bare_ms` is one run's own milliseconds, or None.
    """
    whole: List[float] = []

    def bare() -> None:
        took = bare_ms()
        whole.extend([] if took is None else [took])

    runs = run_for(seconds / 2, bare)
    reports = Reports()
    attach(make_profiler(engine.trt.module, reports))

    def profiled() -> None:
        reports.next_run()
        run()

    profiled_runs = run_for(seconds / 2, profiled)
    kept = last_runs(reports.times, profiled_runs)
    if not kept:
        raise ModelError("%s: TensorRT's profiler was told no layer's time" % engine.path)
    known = _known(engine.trt, engine.handle)
    unknown = Layer("", "unknown", "unknown", False)
    return LayersTimed(BY, tuple(LayerTime(name, known.get(name, unknown).kind, known.get(name, unknown).precision, own)
                                 for name, own in kept.items()), tuple(whole[-runs:] if whole else ()))


def _known(trt: TensorRT, engine: Any) -> Dict[str, Layer]:
    """By name; empty where the engine tells nothing."""
    return {layer.name: layer for layer in inspect_layers(trt, engine)} if trt.features.inspector else {}
