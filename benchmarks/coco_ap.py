"""COCO keypoint AP of a results file that wb-run --coco wrote, by pycocotools.

    wb-run --engine omz.onnx --source PHOTOS --coco results.json
    python benchmarks/coco_ap.py results.json ANNOTATIONS.json [--json FILE]
"""
import argparse
import contextlib
import io
import json
import pathlib

NAMES = ("AP", "AP50", "AP75", "AP_medium", "AP_large", "AR", "AR50", "AR75", "AR_medium", "AR_large")


def keypoint_ap(results: str, annotations: str) -> dict[str, float]:
    """The ten numbers of the COCO keypoint protocol over all images of the annotation file."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(annotations)
        found = truth.loadRes(results)
        evaluation = COCOeval(truth, found, "keypoints")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return {name: round(float(value), 4) for name, value in zip(NAMES, evaluation.stats)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results")
    parser.add_argument("annotations")
    parser.add_argument("--json", metavar="FILE", help="write the numbers there as well")
    args = parser.parse_args()
    numbers = keypoint_ap(args.results, args.annotations)
    print("  ".join(f"{name} {value:.4f}" for name, value in numbers.items()))
    if args.json:
        pathlib.Path(args.json).write_text(json.dumps(numbers, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
