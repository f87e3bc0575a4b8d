"""What the official evaluators print for the cases of tests/support/oks_cases.py, into official_oks.json.

They do not install beside NumPy 2: this makes an environment of its own in a temporary folder, with Python 3.8.
    python tests/references/official_oks.py PYTHON3.8 [FOLDER of ../shared/assets/images/mmpose_tests]
"""
import json
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))
import oks_cases  # noqa: E402

BUILD = ["pip<24", "setuptools>=61,<76", "wheel", "numpy==1.23.5", "cython<3", "pycocotools==2.0.7", "matplotlib<3.8"]
EVALUATORS = ["xtcocotools==1.14.3", "halpecocotools==0.0.1"]

CHILD = r'''
import contextlib, io, json, sys, types
import numpy as np
np.float = float
sys.modules.setdefault("tkinter", types.ModuleType("tkinter"))._flatten = None  # halpecocotools imports it, unused
kind, labels, results = sys.argv[1:]
out = {}
with contextlib.redirect_stdout(io.StringIO()):
    if kind == "wholebody":
        from xtcocotools.coco import COCO
        from xtcocotools.cocoeval import COCOeval
        sigmas = np.array(json.load(open(labels))["sigmas"])
        spans = {"body": (0, 17), "foot": (17, 23), "face": (23, 91), "lefthand": (91, 112),
                 "righthand": (112, 133), "wholebody": (0, 133)}
        for name, (first, last) in spans.items():
            truth = COCO(labels)
            run = COCOeval(truth, truth.loadRes(results), "keypoints_" + name, sigmas[first:last], use_area=True)
            run.evaluate(); run.accumulate(); run.summarize()
            out[name] = [float(v) for v in run.stats]
    else:
        from halpecocotools.coco import COCO
        from halpecocotools.cocoeval import COCOeval
        truth = COCO(labels)
        run = COCOeval(truth, truth.loadRes(results), "keypoints")
        run.evaluate(); run.accumulate(); run.summarize()
        for part in run.stats:
            out.update({name: [float(v) for v in values] for name, values in part.items()})
print(json.dumps(out))
'''


def main() -> None:
    python, samples = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        interpreter = environment(python, folder)
        numbers = {}
        for kind, labels in truths(samples):
            for case in oks_cases.CASES:
                numbers.setdefault(kind, {})[case] = official(interpreter, folder, kind, labels, case)
    (HERE / "official_oks.json").write_text(in_lines(numbers))
    sys.stdout.write(f"{len(numbers)} sets of labels, {len(oks_cases.CASES)} cases each\n")


def in_lines(numbers: dict) -> str:
    """JSON with a line for each part."""
    kinds = []
    for kind, cases in numbers.items():
        rows = [f'  "{case}": {{\n' + ",\n".join(f'   "{part}": {json.dumps([round(v, 9) for v in values])}'
                                               for part, values in parts.items()) + "\n  }"
                for case, parts in cases.items()]
        kinds.append(f' "{kind}": {{\n' + ",\n".join(rows) + "\n }")
    return "{\n" + ",\n".join(kinds) + "\n}\n"


def environment(python: str, folder: pathlib.Path) -> str:
    subprocess.run([python, "-m", "venv", str(folder / "venv")], check=True)
    pip = [str(folder / "venv/bin/python"), "-m", "pip", "install", "--quiet"]
    subprocess.run([*pip, *BUILD], check=True)
    subprocess.run([*pip, "--no-build-isolation", "--no-deps", *EVALUATORS], check=True)
    return pip[0]


def truths(samples: str | None) -> list[tuple[str, dict]]:
    """Kinds begin with the evaluator's name; those of the samples end with `sample`."""
    found = [("wholebody drawn", oks_cases.labels(oks_cases.FIELDS)),
             ("halpe drawn", oks_cases.labels({"keypoints": 136}))]
    if samples is not None:
        for kind, file in (("wholebody", "coco/test_coco_wholebody.json"), ("halpe", "halpe/test_halpe.json")):
            found.append((f"{kind} sample", json.loads((pathlib.Path(samples) / file).read_text())))
    return found


def official(interpreter: str, folder: pathlib.Path, kind: str, labels: dict, case: str) -> dict[str, list[float]]:
    skeleton = json.loads((HERE.parents[1] / "src/wholebody/data/skeletons/WHOLEBODY_133.json").read_text())
    (folder / "labels.json").write_text(json.dumps(dict(labels, sigmas=skeleton["oks_sigmas"])))
    (folder / "results.json").write_text(json.dumps(oks_cases.results(labels, case)))
    (folder / "child.py").write_text(CHILD)
    done = subprocess.run([interpreter, str(folder / "child.py"), kind.split()[0], str(folder / "labels.json"),
                           str(folder / "results.json")], check=True, capture_output=True, encoding="utf-8")
    return json.loads(done.stdout)


if __name__ == "__main__":
    main()
