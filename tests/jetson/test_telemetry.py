"""Heat, power and clocks from sysfs trees as boards have them; whatever is missing or mad is left out."""
import random

import pytest

from wholebody.jetson.tegrastats import Core
from wholebody.jetson.telemetry import ThrottleState, read_sample, read_temperatures, read_throttling

MEMINFO = ("MemTotal:        7950000 kB\nMemFree:          100000 kB\nMemAvailable:    3975000 kB\n"
           "SwapTotal:  1048576 kB\nSwapFree:  524288 kB\n")
TX2 = {
    "sys/devices/gpu.0/load": "457\n",
    "sys/class/devfreq/17000000.gp10b/cur_freq": "1300500000\n",
    "sys/class/thermal/thermal_zone0/type": "BCPU-therm\n", "sys/class/thermal/thermal_zone0/temp": "36500\n",
    "sys/class/thermal/thermal_zone1/type": "PMIC-Die\n", "sys/class/thermal/thermal_zone1/temp": "100000\n",
    "sys/class/thermal/thermal_zone2/type": "GPU-therm\n", "sys/class/thermal/thermal_zone2/temp": "-256000\n",
    "sys/bus/i2c/drivers/ina3221x/0-0041/iio:device1/rail_name_0": "VDD_IN\n",
    "sys/bus/i2c/drivers/ina3221x/0-0041/iio:device1/in_power0_input": "7455\n",
    "proc/meminfo": MEMINFO,
}
ORIN = {
    "sys/devices/platform/bus@0/17000000.gpu/load": "980\n",
    "sys/class/devfreq/17000000.gpu/cur_freq": "918000000\n",
    "sys/kernel/debug/bpmp/debug/clk/emc/rate": "3199000000\n",
    "sys/class/thermal/thermal_zone0/type": "cpu-thermal\n", "sys/class/thermal/thermal_zone0/temp": "51250\n",
    "sys/class/thermal/thermal_zone8/type": "tj-thermal\n", "sys/class/thermal/thermal_zone8/temp": "52343\n",
    "sys/class/hwmon/hwmon3/in1_label": "VDD_IN\n", "sys/class/hwmon/hwmon3/in1_input": "5000\n",
    "sys/class/hwmon/hwmon3/curr1_input": "1800\n",
    "sys/class/hwmon/hwmon3/in7_label": "sum of shunt voltages\n", "sys/class/hwmon/hwmon3/in7_input": "1\n",
    "sys/class/hwmon/hwmon3/curr7_input": "1\n",
    "sys/class/hwmon/hwmon2/oc1_event_cnt": "0\n", "sys/class/hwmon/hwmon2/oc3_event_cnt": "4\n",
    "sys/class/thermal/cooling_device0/type": "pwm-fan\n", "sys/class/thermal/cooling_device0/cur_state": "2\n",
    "sys/class/thermal/cooling_device1/type": "cpufreq-cpu0\n", "sys/class/thermal/cooling_device1/cur_state": "3\n",
    "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq": "1510400\n",
    "sys/devices/system/cpu/cpu1/online": "0\n",
    "proc/meminfo": MEMINFO,
}


def written(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(root)


def test_a_tx2_is_read(tmp_path):
    read = read_sample(written(tmp_path, TX2))
    assert (read.gpu_load, read.gpu_mhz, read.total_mw, read.hottest_c) == (45.7, 1300.5, 7455.0, 36.5)
    assert read.temperatures_c == {"BCPU": 36.5}, "the PMIC always says 100, a sensor that is off -256"
    assert round(read.ram_used_mb) == round(3975000 / 1024.0)
    assert read.swap_used_mb == 512


def test_an_orin_is_read(tmp_path):
    read = read_sample(written(tmp_path, ORIN))
    assert (read.gpu_load, read.gpu_mhz, read.memory_mhz) == (98.0, 918.0, 3199.0)
    assert read.rails_mw == {"VDD_IN": 9000.0}
    assert read.temperatures_c == {"cpu": 51.25, "tj": 52.343}
    assert read.cores == [Core(None, 1510.4), Core(None, None)]


def test_throttling_is_told_between_two_looks(tmp_path):
    root = written(tmp_path, ORIN)
    before = read_throttling(root)
    assert before == ThrottleState({"cpufreq-cpu0": 3}, {"oc1": 0, "oc3": 4})
    assert before.since(before) == []
    written(tmp_path, {"sys/class/hwmon/hwmon2/oc3_event_cnt": "6", "sys/class/thermal/cooling_device1/cur_state": "5"})
    assert read_throttling(root).since(before) == ["cpufreq-cpu0 is throttled (state 5)", "oc3: 2 over-current events"]


def test_a_machine_that_says_nothing_gives_an_empty_sample(tmp_path):
    read = read_sample(str(tmp_path))
    assert (read.ram_total_mb, read.gpu_load, read.total_mw, read.hottest_c) == (None, None, None, None)
    assert read_temperatures(str(tmp_path)) == {}


@pytest.mark.parametrize("seed", range(20))
def test_mad_values_are_left_out(tmp_path, seed):
    chance = random.Random(seed)
    mad = [b"", b"\xff\xfe\x00", b"nan", b"9" * 500, b"-1", b"12 34", b"0x10", b"\n\n"]
    files = {name: chance.choice(mad) if chance.random() < 0.6 else text
             for name, text in dict(TX2, **ORIN).items()}
    root = written(tmp_path, files)
    read = read_sample(root)
    assert all(-40 <= value <= 150 for value in read.temperatures_c.values())
    assert all(count >= -1 for count in read_throttling(root).overcurrent.values())


def test_this_machine_is_read_without_an_error():
    assert read_sample().ram_total_mb is None or read_sample().ram_total_mb > 0
    read_throttling()
