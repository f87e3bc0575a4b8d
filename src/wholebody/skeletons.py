"""Keypoint sets: names, parts, part-affinity fields, drawing and flip pairs, as immutable data."""
import json
import pathlib
from typing import Any, Dict, List, NamedTuple, Optional, Tuple, Union

from wholebody.errors import SkeletonError

SKELETON_DIR = pathlib.Path(__file__).resolve().parent / "data" / "skeletons"
PARTS = ("body", "foot", "left_hand", "right_hand", "hand", "face")
Pair = Tuple[int, int]
_LARGEST = 1e30

# What a set lacks by name but has by anatomy: the mean of the points on the right (spec of every set:
# OpenPose trains its neck and mid-hip as the mean of the shoulders and hips).
DERIVED = {
    "neck": ("left_shoulder", "right_shoulder"),
    "mid_hip": ("left_hip", "right_hip"),
    "left_hand_root": ("left_wrist",),
    "right_hand_root": ("right_wrist",),
    "left_wrist": ("left_hand_root",),
    "right_wrist": ("right_hand_root",),
}


class Skeleton(NamedTuple):
    """One keypoint set. Indices are keypoint indices; PAF channels count from the first PAF channel."""

    name: str
    keypoints: Tuple[str, ...]
    parts: Tuple[Tuple[str, Tuple[int, ...]], ...]
    flip_pairs: Tuple[Pair, ...]
    limbs: Tuple[Pair, ...]                       # what is drawn
    colors_rgb: Tuple[Tuple[int, int, int], ...]  # one per keypoint
    draw_scales: Tuple[float, ...]                # thickness factor, one per keypoint
    oks_sigmas: Optional[Tuple[float, ...]]
    paf_pairs: Tuple[Pair, ...]                   # in parsing order, which is not channel order
    paf_channels: Tuple[Pair, ...]                # (x channel, y channel) of each pair
    has_background: bool                          # the heat maps end with a background channel
    decoding: Tuple[Tuple[str, float], ...]       # thresholds that differ from OpenPose's defaults

    @property
    def heatmap_channels(self) -> int:
        """Keypoint channels, and the background where the set has one."""
        return len(self.keypoints) + int(self.has_background)

    @property
    def paf_channel_count(self) -> int:
        """Two channels a limb."""
        return 2 * len(self.paf_pairs)

    def part(self, name: str) -> Tuple[int, ...]:
        """Indices of one part's keypoints; empty when the set has no such part."""
        return dict(self.parts).get(name, ())

    def index_of(self, keypoint: str) -> int:
        """Position of a keypoint by name.

        >>> get_skeleton("BODY_25").index_of("mid_hip")
        8
        """
        if keypoint not in self.keypoints:
            raise SkeletonError("%s has no keypoint %r; it has: %s" % (self.name, keypoint, ", ".join(self.keypoints)))
        return self.keypoints.index(keypoint)

    def sources_of(self, target: "Skeleton") -> Tuple[Tuple[int, ...], ...]:
        """For each keypoint of `target` the keypoints of this set to average; () where there are none.

        >>> get_skeleton("COCO_17").sources_of(get_skeleton("COCO_18"))[:3]
        ((0,), (5, 6), (6,))
        """
        here = {name: i for i, name in enumerate(self.keypoints)}
        sources = []
        for name in target.keypoints:
            wanted = (name,) if name in here else DERIVED.get(name, ())
            known = wanted and all(w in here for w in wanted)
            sources.append(tuple(here[w] for w in wanted) if known else ())
        return tuple(sources)


_loaded: Dict[str, Skeleton] = {}


def skeleton_names() -> List[str]:
    """Names of the sets that come with the package."""
    return sorted(path.stem for path in SKELETON_DIR.glob("*.json"))


def get_skeleton(name: str) -> Skeleton:
    """One of the sets that come with the package, or a user's JSON file when `name` ends in .json.

    >>> len(get_skeleton("BODY_135").keypoints), len(get_skeleton("BODY_135").paf_pairs)
    (135, 152)
    """
    if str(name).endswith(".json"):
        return load_skeleton(name)
    if name not in _loaded:
        path = SKELETON_DIR / (name + ".json")
        if name not in skeleton_names():
            raise SkeletonError("unknown skeleton %r; known: %s, or the path of your own .json"
                                % (name, ", ".join(skeleton_names())))
        _loaded[name] = load_skeleton(path)
    return _loaded[name]


def load_skeleton(path: Union[str, pathlib.Path]) -> Skeleton:
    """A set from a JSON file in the layout of the package's own files."""
    try:
        data = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise SkeletonError("cannot read skeleton %s: %s" % (path, error.strerror or error))
    except (ValueError, RecursionError) as error:
        raise SkeletonError("skeleton %s is not valid JSON: %s" % (path, error))
    return skeleton_from_dict(data, where=str(path))


def skeleton_from_dict(data: Dict[str, Any], where: str = "skeleton") -> Skeleton:
    """A set from its JSON object; only `name` and `keypoints` are required."""
    check = _Checker(where)
    check.that(isinstance(data, dict), "expected a JSON object, got %s" % type(data).__name__)
    check.known("", data, ("name", "description", "keypoints", "parts", "flip_pairs", "oks_sigmas", "draw", "paf"))
    keypoints: Any = data.get("keypoints")
    check.that(isinstance(data.get("name"), str) and bool(data["name"]), "expected a text `name`")
    check.that(isinstance(keypoints, list) and len(keypoints) > 0
               and all(isinstance(k, str) and k for k in keypoints),
               "expected `keypoints`, a list of names")
    count = len(keypoints)
    check.that(len(set(keypoints)) == count, "`keypoints` has a name twice")
    parts = _parts(data.get("parts", {"body": list(range(count))}), count, check)
    draw, paf = data.get("draw", {}), data.get("paf", {})
    check.that(isinstance(draw, dict) and isinstance(paf, dict), "`draw` and `paf` are objects")
    check.known("draw.", draw, ("limbs", "colors_rgb", "scales"))
    check.known("paf.", paf, ("background", "pairs", "channels", "decoding"))
    pairs = check.pairs("paf.pairs", paf.get("pairs", []), count)
    channels = check.pairs("paf.channels", paf.get("channels", [[2 * i, 2 * i + 1] for i in range(len(pairs))]),
                           2 * len(pairs))
    check.that(sorted(c for pair in channels for c in pair) == list(range(2 * len(pairs))),
               "`paf.channels` must use each of the %d channels once" % (2 * len(pairs)))
    sigmas = data.get("oks_sigmas")
    flips = check.pairs("flip_pairs", data.get("flip_pairs", []), count)
    check.that(len({i for pair in flips for i in pair}) == 2 * len(flips), "`flip_pairs` uses a keypoint twice")
    background, decoding = paf.get("background", False), paf.get("decoding", {})
    check.that(isinstance(background, bool), "`paf.background` is true or false")
    check.that(isinstance(decoding, dict) and all(is_number(v) for v in decoding.values()),
               "`paf.decoding` is an object of numbers")
    return Skeleton(
        name=data["name"], keypoints=tuple(keypoints), parts=parts,
        flip_pairs=flips,
        limbs=check.pairs("draw.limbs", draw.get("limbs", [list(p) for p in pairs]), count),
        colors_rgb=check.colors("draw.colors_rgb", draw.get("colors_rgb", _rainbow(count)), count),
        draw_scales=check.numbers("draw.scales", draw.get("scales", [1.0] * count), count),
        oks_sigmas=None if sigmas is None else check.numbers("oks_sigmas", sigmas, count),
        paf_pairs=pairs, paf_channels=channels, has_background=background,
        decoding=tuple(sorted((str(k), float(v)) for k, v in decoding.items())))


def skeleton_to_dict(skeleton: Skeleton) -> Dict[str, Any]:
    """The JSON object that `skeleton_from_dict` reads back to an equal set."""
    data: Dict[str, Any] = {
        "name": skeleton.name, "keypoints": list(skeleton.keypoints),
        "parts": {name: list(indices) for name, indices in skeleton.parts},
        "flip_pairs": [list(p) for p in skeleton.flip_pairs],
        "draw": {"limbs": [list(p) for p in skeleton.limbs], "colors_rgb": [list(c) for c in skeleton.colors_rgb],
                 "scales": list(skeleton.draw_scales)},
    }
    if skeleton.oks_sigmas is not None:
        data["oks_sigmas"] = list(skeleton.oks_sigmas)
    if skeleton.paf_pairs or skeleton.has_background or skeleton.decoding:
        data["paf"] = {"background": skeleton.has_background, "pairs": [list(p) for p in skeleton.paf_pairs],
                       "channels": [list(p) for p in skeleton.paf_channels], "decoding": dict(skeleton.decoding)}
    return data


class _Checker:
    """Raises SkeletonError with the file and the field in front."""

    def __init__(self, where: str) -> None:
        self.where = where

    def that(self, condition: bool, message: str) -> None:
        if not condition:
            raise SkeletonError("%s: %s" % (self.where, message))

    def known(self, prefix: str, value: Dict[str, Any], names: Tuple[str, ...]) -> None:
        unknown = sorted(prefix + str(name) for name in value if name not in names)
        self.that(not unknown, "unknown fields: %s" % ", ".join(unknown))

    def pairs(self, field: str, value: Any, limit: int) -> Tuple[Pair, ...]:
        def is_pair(item: Any) -> bool:
            return (isinstance(item, list) and len(item) == 2 and item[0] != item[1]
                    and all(type(i) is int and 0 <= i < limit for i in item))
        self.that(isinstance(value, list) and all(is_pair(item) for item in value),
                  "`%s` is a list of pairs of different indices below %d" % (field, limit))
        return tuple((a, b) for a, b in value)

    def numbers(self, field: str, value: Any, count: int) -> Tuple[float, ...]:
        self.that(isinstance(value, list) and len(value) == count
                  and all(is_number(v) and v >= 0 for v in value),
                  "`%s` is a list of %d numbers" % (field, count))
        return tuple(float(v) for v in value)

    def colors(self, field: str, value: Any, count: int) -> Tuple[Tuple[int, int, int], ...]:
        self.that(isinstance(value, list) and len(value) == count
                  and all(isinstance(c, list) and len(c) == 3 and all(type(v) is int and 0 <= v <= 255 for v in c)
                          for c in value),
                  "`%s` is a list of %d colours [r, g, b], 0 to 255" % (field, count))
        return tuple((r, g, b) for r, g, b in value)


def _parts(value: Any, count: int, check: _Checker) -> Tuple[Tuple[str, Tuple[int, ...]], ...]:
    check.that(isinstance(value, dict), "`parts` is an object")
    for name, indices in value.items():
        check.that(name in PARTS, "unknown part %r; known: %s" % (name, ", ".join(PARTS)))
        check.that(isinstance(indices, list) and all(type(i) is int and 0 <= i < count for i in indices),
                   "part %r is a list of indices below %d" % (name, count))
    used = [i for indices in value.values() for i in indices]
    check.that(len(set(used)) == len(used), "`parts` uses a keypoint twice")
    return tuple((name, tuple(value[name])) for name in PARTS if name in value)


def is_number(value: Any) -> bool:
    """Whether a value of JSON is a number that a float can hold; `true`, NaN and 10**400 are none.

    >>> is_number(1), is_number(True), is_number(10 ** 400)
    (True, False, False)
    """
    return isinstance(value, (int, float)) and not isinstance(value, bool) and -_LARGEST <= value <= _LARGEST


def _rainbow(count: int) -> List[List[int]]:
    """Evenly spread hues for sets that name no colours."""
    def channel(position: float) -> int:
        return int(round(255 * min(1.0, max(0.0, abs(position % 6 - 3) - 1))))
    hues = [6.0 * i / count for i in range(count)]
    return [[channel(hue), channel(hue - 2), channel(hue - 4)] for hue in hues]
