"""Heat, power, clocks and memory of the board, from sysfs and /proc alone: no daemon, no root, any board."""
import pathlib
import re
from typing import Dict, Iterator, List, NamedTuple, Optional, Tuple

from wholebody.jetson.tegrastats import BoardSample, Core

# Where the GPU says its load (0 to 1000) and its clock, from TX2 to Thor; what a board lacks is passed over.
_GPU_LOADS = ("sys/devices/gpu.0/load", "sys/devices/platform/gpu.0/load", "sys/devices/platform/bus@0/*.gpu/load",
              "sys/devices/platform/*.gpu/load", "sys/devices/*.gpu/load", "sys/devices/*.g[pva]1[01]b/load",
              "sys/devices/platform/*.g[pva]1[01]b/load")
_GPU_CLOCKS = ("sys/class/devfreq/*.gpu/cur_freq", "sys/class/devfreq/*gv11b/cur_freq",
               "sys/class/devfreq/*gp10b/cur_freq", "sys/class/devfreq/*ga10b/cur_freq",
               "sys/class/devfreq/gpu-gpc-*/cur_freq")
_MEMORY_CLOCK = "sys/kernel/debug/bpmp/debug/clk/emc/rate"
_SOONEST_C, _HOTTEST_C = -40.0, 150.0  # a sensor outside is off or broken


class ThrottleState(NamedTuple):
    """What keeps clocks down now."""

    cooling: Dict[str, int]      # state of each cooling device, 0 is idle
    overcurrent: Dict[str, int]  # events so far of each counter

    def since(self, before: "ThrottleState") -> List[str]:
        """What happened between two looks, a phrase each."""
        said = ["%s is throttled (state %d)" % (name, state) for name, state in sorted(self.cooling.items())
                if state > before.cooling.get(name, 0)]
        return said + ["%s: %d over-current events" % (name, count - before.overcurrent.get(name, 0))
                       for name, count in sorted(self.overcurrent.items())
                       if count > before.overcurrent.get(name, 0)]


def read_sample(root: str = "/") -> BoardSample:
    """What the board says now; what it does not say stays empty."""
    base = pathlib.Path(root)
    memory = _memory(base)
    swap_total, swap_free = memory.get("SwapTotal"), memory.get("SwapFree")
    total, available = memory.get("MemTotal"), memory.get("MemAvailable")
    load = _first_number(base, _GPU_LOADS)
    clock = _first_number(base, _GPU_CLOCKS)
    emc = _first_number(base, (_MEMORY_CLOCK,))
    return BoardSample(
        _less(total, available), total, _less(swap_total, swap_free), swap_total, _cores(base),
        None if load is None else load / 10, None if clock is None else clock / 1e6,
        None, None if emc is None else emc / 1e6, read_temperatures(root), dict(_rails(base)), {})


def read_temperatures(root: str = "/") -> Dict[str, float]:
    """Degrees Celsius by thermal zone."""
    found: Dict[str, float] = {}
    for zone in _sorted_glob(pathlib.Path(root), "sys/class/thermal/thermal_zone*"):
        value = _number(zone / "temp")
        name = re.sub(r"[-_]?(therm|thermal)$", "", _text(zone / "type")) or zone.name
        if value is not None and _SOONEST_C <= value / 1000 <= _HOTTEST_C and "PMIC" not in name:
            found[name] = value / 1000
    return found


def read_throttling(root: str = "/") -> ThrottleState:
    """Cooling devices that act on clocks, and over-current counters (Orin and later)."""
    base, cooling, overcurrent = pathlib.Path(root), {}, {}
    for device in _sorted_glob(base, "sys/class/thermal/cooling_device*"):
        kind, state = _text(device / "type"), _number(device / "cur_state")
        if kind and state is not None and not re.search("fan|shutdown|hot-surface", kind):
            cooling[kind] = int(state)
    for counter in _sorted_glob(base, "sys/class/hwmon/hwmon*/oc*_event_cnt"):
        value = _number(counter)
        if value is not None:
            overcurrent[counter.name.split("_")[0]] = int(value)
    return ThrottleState(cooling, overcurrent)


def _rails(base: pathlib.Path) -> Iterator[Tuple[str, float]]:
    """Milliwatts by rail: INA3221 as hwmon (JetPack 5 on: volts times amperes) or as iio (JetPack 4: watts)."""
    for label in _sorted_glob(base, "sys/class/hwmon/hwmon*/in*_label"):
        channel = re.sub(r"\D", "", label.name)
        millivolts = _number(label.parent / ("in%s_input" % channel))
        milliamperes = _number(label.parent / ("curr%s_input" % channel))
        name = _text(label)
        if millivolts is not None and milliamperes is not None and name and "NC" not in name and "sum" not in name:
            yield name, millivolts * milliamperes / 1000
    for label in _sorted_glob(base, "sys/bus/i2c/drivers/ina3221x/*/iio:device*/rail_name_*"):
        milliwatts = _number(label.parent / ("in_power%s_input" % label.name[len("rail_name_"):]))
        if milliwatts is not None and _text(label):
            yield _text(label), milliwatts


def _cores(base: pathlib.Path) -> "List[Core]":
    cores = []
    for folder in _sorted_glob(base, "sys/devices/system/cpu/cpu[0-9]*"):
        khz = _number(folder / "cpufreq/scaling_cur_freq")
        cores.append(Core(None, None if khz is None else khz / 1000))
    return cores


def _memory(base: pathlib.Path) -> Dict[str, float]:
    """/proc/meminfo in MB."""
    return {name: int(kb) / 1024 for name, kb in re.findall(r"^(\w+): +(\d{1,15}) kB", _text(base / "proc/meminfo"),
                                                           re.MULTILINE)}


def _less(total: Optional[float], free: Optional[float]) -> Optional[float]:
    return None if total is None or free is None else total - free


def _first_number(base: pathlib.Path, patterns: Tuple[str, ...]) -> Optional[float]:
    for pattern in patterns:
        for path in _sorted_glob(base, pattern):
            value = _number(path)
            if value is not None:
                return value
    return None


def _sorted_glob(base: pathlib.Path, pattern: str) -> List[pathlib.Path]:
    try:
        return sorted(base.glob(pattern), key=lambda path: (len(path.name), str(path)))
    except OSError:
        return []


def _number(path: pathlib.Path) -> Optional[float]:
    found = re.match(r"-?\d{1,15}$", _text(path))
    return float(found.group()) if found else None


def _text(path: pathlib.Path) -> str:
    try:
        return path.read_bytes()[:65536].decode("utf-8", "replace").strip("\0 \n\t")
    except (OSError, ValueError):
        return ""
