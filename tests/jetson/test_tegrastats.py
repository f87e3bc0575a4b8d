"""Every dialect of tegrastats is read; garbage is survived. The lines are written after the tool's documented forms."""
import json
import pathlib
import random
import string

import pytest

from wholebody.jetson.tegrastats import BoardSample, Core, parse_tegrastats

SAMPLES = json.loads((pathlib.Path(__file__).parent / "samples/tegrastats.json").read_text())


@pytest.mark.parametrize("sample", SAMPLES, ids=["%s-%d" % (s["board"], i) for i, s in enumerate(SAMPLES)])
def test_every_field_of_a_line_is_read(sample):
    read = parse_tegrastats(sample["line"])
    said = {name: getattr(read, name) for name in sample["says"]}
    said["cores"] = len(read.cores)
    assert said == sample["says"]


def test_cores_that_are_off_keep_their_place():
    cores = parse_tegrastats("CPU [24%@102,off,1%]").cores
    assert cores == [Core(24.0, 102.0), Core(None, None), Core(1.0, None)]


def test_now_and_average_are_told_apart():
    read = parse_tegrastats("VDD_IN 5079mW/5100mW VDD_SOC 10/20 NC 3mW/4mW")
    assert read.rails_mw == {"VDD_IN": 5079.0, "VDD_SOC": 10.0}
    assert read.rails_average_mw == {"VDD_IN": 5100.0, "VDD_SOC": 20.0}


def test_sensors_that_are_off_say_nothing():
    assert parse_tegrastats("CV0@-256C PMIC@100C GPU@41C").temperatures_c == {"GPU": 41.0}


def test_a_line_of_something_else_says_nothing():
    assert parse_tegrastats("Sat Nov 21 11:23:30 UTC") == BoardSample(cores=[], temperatures_c={}, rails_mw={},
                                                                    rails_average_mw={})


def test_garbage_is_survived():
    chance = random.Random(5)
    for _ in range(3000):
        line = list(chance.choice(SAMPLES)["line"])
        for _ in range(chance.randrange(1, 30)):
            where = chance.randrange(len(line))
            line[where:where + chance.choice((0, 1, 1, 9))] = chance.choice(
                (chance.choice(string.printable), "9" * 400, "[", "@", "%", "\0"))
        read = parse_tegrastats("".join(line))
        assert read.total_mw is None or read.total_mw >= 0
