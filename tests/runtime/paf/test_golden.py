"""Both backends find what OpenPose finds: the golden cases of ../shared, where that folder exists."""
import functools
import importlib.util
import pathlib

import numpy as np
import pytest

from wholebody.runtime.paf import PafDecoder
from wholebody.skeletons import get_skeleton

GOLDEN = pathlib.Path(__file__).resolve().parents[3].parent / "shared" / "golden"
MISSING = [pytest.param("", marks=pytest.mark.skip(reason="no golden cases in %s" % GOLDEN))]
NAMES = {"COCO": "COCO_18"}
BIG = 5  # people; on the fake GPU more of them take long, and so do larger maps and sets


def files(name):
    return np.load(str(GOLDEN / name)).files if (GOLDEN / name).is_file() else []


SCENES = sorted(files("reference.npz")) or MISSING
PHOTOGRAPHS = sorted(name[:-len("_people")] for name in files("real_maps.npz") if name.endswith("_people")) or MISSING


@functools.lru_cache(maxsize=1)
def scenes():
    spec = importlib.util.spec_from_file_location("golden_scenes", str(GOLDEN / "scenes.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@functools.lru_cache(maxsize=1)
def rendered(case):
    return scenes().load_case(case)


def reproduced(poses, people):
    """Share of the expected keypoints (N, K, 3) found within 0.1 px, people paired by best match."""
    expected = people[..., 2] > 0
    close = np.abs(poses.keypoints[:, None] - people[None, :, :, :2]).max(axis=3) <= 0.1
    hits = (close & (poses.scores > 0)[:, None] & expected[None]).sum(axis=2)
    total = 0
    while hits.size and hits.max() > 0:
        i, k = np.unravel_index(np.argmax(hits), hits.shape)
        total += hits[i, k]
        hits[i, :], hits[:, k] = 0, 0
    return total / max(1, expected.sum())


@pytest.mark.parametrize("case", SCENES)
def test_every_backend_finds_the_people_of_a_golden_scene(case, host_backend):
    maps, people = rendered(case), np.load(str(GOLDEN / "reference.npz"))[case]
    name = case.rsplit("_", 3)[0]
    poses = PafDecoder(get_skeleton(NAMES.get(name, name)), backend=host_backend)(maps.heatmaps, maps.pafs)
    crowded = int(case.rsplit("_", 2)[1][1:]) > 20
    assert len(poses) == len(people)
    assert reproduced(poses, people) >= (0.98 if host_backend == "native" and crowded else 0.999)


@pytest.mark.parametrize("photograph", PHOTOGRAPHS)
def test_every_backend_finds_the_people_of_a_photograph(photograph, host_backend):
    maps = np.load(str(GOLDEN / "real_maps.npz"))
    people = maps[photograph + "_people"]
    decode = PafDecoder(get_skeleton("COCO_18"), backend=host_backend)
    poses = decode(maps[photograph + "_heatmaps"], maps[photograph + "_pafs"])
    assert len(poses) == len(people)
    assert reproduced(poses, people) >= (0.995 if host_backend == "native" else 0.999)


def takes_long(case):
    return int(case.rsplit("_", 2)[1][1:]) > (1 if "135" in case else BIG) or "1312" in case


@pytest.mark.parametrize("case", [case if case in MISSING or not takes_long(case) else
                                  pytest.param(case, marks=pytest.mark.long) for case in SCENES])
def test_the_gpu_finds_in_a_golden_scene_what_the_cpu_finds(case, both):
    maps, name = rendered(case), case.rsplit("_", 3)[0]
    assert len(both(get_skeleton(NAMES.get(name, name)), (maps.heatmaps, maps.pafs))) > 0


@pytest.mark.parametrize("photograph", PHOTOGRAPHS)
def test_the_gpu_finds_in_a_photograph_what_the_cpu_finds(photograph, both):
    maps = np.load(str(GOLDEN / "real_maps.npz"))
    assert len(both(get_skeleton("COCO_18"), (maps[photograph + "_heatmaps"], maps[photograph + "_pafs"]))) > 0
