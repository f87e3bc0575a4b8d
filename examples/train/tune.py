"""Find the decoding thresholds that suit a network best, on photographs that it did not learn from."""

import argparse
import itertools
import json
import pathlib
import sys
import tempfile
import time
from typing import Any, Dict, List, NamedTuple, Optional, Sequence

import numpy as np

if not __package__:
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from train.trained import chosen  # noqa: E402
from wholebody.calibration.coco_protocol import evaluate, load_annotations  # noqa: E402
from wholebody.calibration.running import AnnotatedImages  # noqa: E402
from wholebody.files import write_text  # noqa: E402
from wholebody.poses import Frame, Result  # noqa: E402
from wholebody.runtime.estimator import Estimator, open_paf_estimator  # noqa: E402
from wholebody.runtime.geometry import Geometry  # noqa: E402
from wholebody.runtime.paf import PafDecoder, PafOptions  # noqa: E402
from wholebody.runtime.paf_lane import in_frame  # noqa: E402
from wholebody.runtime.sinks import CocoJson, Details  # noqa: E402
from wholebody.skeletons import Skeleton  # noqa: E402

GRID: Dict[str, Sequence[float]] = {
    "nms_threshold": (0.05, 0.1, 0.15), "paf_threshold": (0.02, 0.05, 0.1), "paf_ratio": (0.6, 0.8, 0.95),
    "min_score": (0.1, 0.2, 0.4)}


class Looked(NamedTuple):
    """What the network said of one photograph."""

    frame: Frame
    heatmaps: np.ndarray
    pafs: np.ndarray
    geometry: Geometry


def look(estimate: Estimator, images: AnnotatedImages) -> List[Looked]:
    """Run the network once over all photographs."""
    looked = []
    for frame in images:
        estimate(frame.image)
        small = frame._replace(image=np.zeros((1, 1, 3), np.uint8))
        looked.append(Looked(small, estimate.maps.heatmaps.copy(), estimate.maps.pafs.copy(), estimate.geometry))
    return looked


def precision(looked: Sequence[Looked], truth: Any, skeleton: Skeleton, stride: int, decoding: Dict[str, float],
              results: pathlib.Path) -> float:
    """COCO AP with these thresholds."""
    decode = PafDecoder(skeleton, stride=stride, options=PafOptions.for_skeleton(skeleton, **decoding))
    with CocoJson(results, overwrite=True) as sink:
        for one in looked:
            poses = in_frame(decode(one.heatmaps, one.pafs), one.geometry)
            details = Details(heatmaps=one.heatmaps, pafs=one.pafs, candidates=None,
                              net_size=(one.geometry.net_width, one.geometry.net_height), keypoints=poses.keypoints)
            sink.write(one.frame, Result(one.frame.index, time.monotonic(), poses, {}), details)
    decode.close()
    return float(evaluate(truth, str(results)).statistics["AP"])


def main(argv: Optional[List[str]] = None) -> int:
    """Try every combination."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("model", type=pathlib.Path, help="a model file with a card")
    parser.add_argument("--images", type=pathlib.Path, required=True, help="folder with the photographs")
    parser.add_argument("--annotations", type=pathlib.Path, required=True, help="COCO person keypoints")
    parser.add_argument("--split", type=pathlib.Path, help="the photographs to try on; all without it")
    parser.add_argument("--best", type=int, default=10, help="print so many of the best")
    args = parser.parse_args(argv)
    names = args.split.read_text(encoding="utf-8").split() if args.split else ()
    with tempfile.TemporaryDirectory() as folder, open_paf_estimator(str(args.model)) as estimate:
        path = pathlib.Path(folder) / "truth.json"
        write_text(path, json.dumps(chosen(json.loads(args.annotations.read_text(encoding="utf-8")), names)))
        truth = load_annotations(str(path))
        looked = look(estimate, AnnotatedImages(truth, str(args.images)))
        stride = estimate.card.head("paf").stride
        found = []
        for values in itertools.product(*GRID.values()):
            decoding = dict(zip(GRID, values))
            found.append((precision(looked, truth, estimate.skeleton, stride, decoding,
                                    pathlib.Path(folder) / "results.json"), decoding))
    for average, decoding in sorted(found, key=lambda entry: -entry[0])[:args.best]:
        print("AP %.4f  %s" % (average, " ".join("%s=%g" % item for item in decoding.items())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
