"""A profile as profile-engine would write it, of times that nobody measured."""
from wholebody.runtime.profile.spread import timing

BLOCKS = [10.0, 10.1, 9.9, 10.0, 10.05, 9.95, 10.0, 10.1]


def drawn_profile(engine=BLOCKS, **changes):
    """Valid by the schema; `engine`: the medians of its blocks."""
    def times(blocks):
        return timing([[ms] for ms in blocks])

    told = {
        "format": "wholebody-profile", "version": 1, "measured_at": "2026-01-31T12:00:00Z",
        "model": {"file": "net.onnx", "bytes": 1000, "kind": "bottom-up", "input": "656x368", "skeleton": "COCO_17",
                  "runs_on": "OnnxRuntimeEngine", "networks": ["engine"]},
        "machine": {"board": "no Jetson", "gpu_sm": "unknown", "l4t": "unknown", "architecture": "x86_64", "cores": 2,
                    "python": "3.11.1", "wholebody": "0.1.0"},
        "settings": {"seconds": 20.0, "fps": 30.0, "in_flight": 3, "picture": "656x368", "people_in_picture": 10},
        "figures": {"engine": times(engine), "pipeline": times([12.0] * 8), "camera_to_result": times([14.0] * 8)},
        "processor": None,
        "in_flight": {"frames_per_second": 90.0, "low": 88.0, "high": 91.0, "frames": 200, "blocks": [90.0, 89.0]},
        "stages": {"preprocess": times([1.0] * 8), "engine": times([10.0] * 8), "decode": times([1.0] * 8)},
        "camera": {"stages": {"engine": times([11.0] * 8), "waiting": times([1.0] * 8)}, "frames": 90, "dropped": 0},
        "people": [{"people": 5, "what": "decode, on drawn maps", "timing": times([0.3] * 8)}],
        "layers": [{"network": "engine", "by": "ONNX Runtime's profile", "batch": 1, "runs": 20, "sum_ms": 9.6,
                    "run_ms": 9.9, "stage_ms": 10.0, "rows": [
                        {"name": "conv%d" % number, "kind": "Conv", "precision": "FP32", "p50": 0.2 * number,
                         "p95": 0.25 * number, "share": number / 48.0} for number in range(1, 13)][:9] + [
                        {"name": "<b>long</b>" * 9, "kind": "Resize", "precision": "unknown", "p50": 0.6, "p95": 0.7,
                         "share": 0.0625}]}],
        "sweep": {"of": "frames", "rows": [
            {"input": size, "batch": batch, "engine": times([ms * batch] * 4), "pipeline": times([ms * batch + 2] * 4),
             "engine_per_second": 1e3 / ms, "pipeline_per_second": 1e3 * batch / (ms * batch + 2)}
            for size, ms in (("656x368", 10.0), ("328x184", 3.0)) for batch in (1, 2, 4)]},
        "energy": {"watts": 11.5, "joules_per_frame": 0.13},
        "expected": {"gflop": 14.8, "million_numbers_moved": 50.0, "reached_gflops": 1480.0, "on": "a board",
                     "roofline_ms": 6.0, "share": 0.6, "bound": "arithmetic", "range_ms": [8.0, 17.0],
                     "verdict": "as expected"},
        "bottleneck": {"stage": "engine", "share": 0.83, "sentence": "engine takes 83 % of a frame."},
        "start_up": {"open_ms": 300.0, "first_frame_ms": 40.0},
        "memory": {"host_mb": {"now": 160.0, "peak": 260.0}, "device_mb": None},
        "conditions": {"power_mode": None, "hottest_c": {"first": 40.0, "most": 51.0},
                       "clocks_mhz": {"gpu": {"least": 900.0, "most": 918.0}}, "throttled": []},
        "marks": [], "not_measured": {"power mode": "nvpmodel is not here or does not say"}}
    told.update(changes)
    return told
