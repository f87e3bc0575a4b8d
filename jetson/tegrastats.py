"""One line of tegrastats, in every dialect from JetPack 4 to 7, as numbers."""
import re
from typing import Dict, List, NamedTuple, Optional

_MB = {"kB": 1 / 1024.0, "MB": 1.0, "GB": 1024.0}
_NO_SENSOR_C = -100.0   # an engine that is off says -256C
_FAKE_PMIC_C = 100.0    # every board's PMIC says 100C, always


class Core(NamedTuple):
    """One CPU core; None where it is off or says nothing."""

    load: Optional[float]      # 0 to 100
    mhz: Optional[float]


class BoardSample(NamedTuple):
    """What a board said at one moment; empty or None where it said nothing."""

    ram_used_mb: Optional[float] = None
    ram_total_mb: Optional[float] = None
    swap_used_mb: Optional[float] = None
    swap_total_mb: Optional[float] = None
    cores: "List[Core]" = []
    gpu_load: Optional[float] = None               # 0 to 100
    gpu_mhz: Optional[float] = None
    memory_load: Optional[float] = None            # of the memory controller, 0 to 100
    memory_mhz: Optional[float] = None
    temperatures_c: Dict[str, float] = {}
    rails_mw: Dict[str, float] = {}                # at this moment
    rails_average_mw: Dict[str, float] = {}

    @property
    def total_mw(self) -> Optional[float]:
        """Power of the whole board or module: the input rail; None where no rail is one.

        >>> parse_tegrastats("VDD_IN 4718mW/4600mW VDD_SOC 1470mW/1470mW").total_mw
        4718.0
        """
        for name in ("VDD_IN", "POM_5V_IN", "VIN"):
            if name in self.rails_mw:
                return self.rails_mw[name]
        # AGX boards have rails by consumer, which together are the module.
        parts = [mw for name, mw in self.rails_mw.items() if name != "NC"]
        return sum(parts) if len(parts) > 1 else None

    @property
    def hottest_c(self) -> Optional[float]:
        """The highest temperature of the chip."""
        return max(self.temperatures_c.values()) if self.temperatures_c else None


def parse_tegrastats(line: str) -> BoardSample:
    """What a line says; whatever it does not say, or says in a way unheard of, is left out.

    >>> parse_tegrastats("RAM 1903/3964MB (lfb 247x4MB) GR3D_FREQ 12%@76 CPU@27.5C POM_5V_IN 1532/1600").gpu_load
    12.0
    """
    ram = _memory(line, "RAM")
    swap = _memory(line, "SWAP")
    gpu = _load(line, "GR3D_FREQ") or _load(line, "GR3D")
    memory = _load(line, "EMC_FREQ") or _load(line, "EMC")
    return BoardSample(
        ram[0], ram[1], swap[0], swap[1], _cores(line), gpu and gpu.load, gpu and gpu.mhz,
        memory and memory.load, memory and memory.mhz, _temperatures(line), _rails(line, 0), _rails(line, 1))


def _memory(line: str, name: str) -> "List[Optional[float]]":
    found = re.search(r"\b%s (\d+)/(\d+)(kB|MB|GB)" % name, line)
    if not found:
        return [None, None]
    return [_number(found.group(1), _MB[found.group(3)]), _number(found.group(2), _MB[found.group(3)])]


def _load(line: str, name: str) -> Optional[Core]:
    """`NAME 4%@1600`, `NAME 0%@[305,0]`, `NAME 0%` or `NAME @1109`."""
    found = re.search(r"\b%s (?:(\d+)%%)?(?:@\[?(\d+)[^\s]*)?" % name, line)
    if not found or not any(found.groups()):
        return None
    return Core(_number(found.group(1)), _number(found.group(2)))


def _cores(line: str) -> "List[Core]":
    found = re.search(r"\bCPU \[([^\]]*)\]", line)
    cores = []
    for text in found.group(1).split(",") if found else []:
        said = re.match(r"\s*(\d+)%(?:@(\d+))?", text)
        cores.append(Core(_number(said.group(1)), _number(said.group(2))) if said else Core(None, None))
    return cores


def _temperatures(line: str) -> Dict[str, float]:
    found = {name: _number(value) for name, value in re.findall(r"([A-Za-z]\w*)@(-?\d+(?:\.\d+)?)C\b", line)}
    return {name: value for name, value in found.items() if value is not None and value > _NO_SENSOR_C
            and not (name == "PMIC" and value == _FAKE_PMIC_C)}


def _rails(line: str, which: int) -> Dict[str, float]:
    """`NAME now/average` in milliwatts, with the unit or without."""
    # Memory has the same form but for its unit: RAM 1903/3964MB.
    found = re.findall(r"\b([A-Z][A-Za-z0-9_]*) (\d+)(?:mW)?/(\d+)(?:mW)?(?=\s|$)", line)
    rails = {name: _number((now, average)[which]) for name, now, average in found if name != "NC"}
    return {name: value for name, value in rails.items() if value is not None}


def _number(text: Optional[str], factor: float = 1.0) -> Optional[float]:
    # Nine digits are beyond any board; a longer run is garbage.
    return float(text) * factor if text and len(text) <= 12 else None
