"""What PoseTrack's own poseval prints for the cases of tests/support/posetrack_cases.py, into official_posetrack.json.

It is in no package index and does not run beside NumPy 2: this makes an environment of its own in a temporary folder.
    python tests/references/official_posetrack.py PYTHON3.8 FOLDER_OF_POSEVAL
"""
import json
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))
import posetrack_cases  # noqa: E402

PACKAGES = ["numpy==1.23.5", "motmetrics==1.4.0", "shapely<2.1", "tqdm", "click"]


def main() -> None:
    python, poseval = sys.argv[1:]
    numbers = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        subprocess.run([python, "-m", "venv", str(folder / "venv")], check=True)
        interpreter = str(folder / "venv/bin/python")
        subprocess.run([interpreter, "-m", "pip", "install", "--quiet", *PACKAGES], check=True)
        clips = posetrack_cases.labels()
        for case in posetrack_cases.CASES:
            place = folder / case
            write(place / "labels", clips)
            write(place / "results", posetrack_cases.results(clips, case))
            subprocess.run([interpreter, "-m", "poseval.evaluate", "-g", f"{place}/labels/", "-p", f"{place}/results/",
                            "-e", "-t", "-o", f"{place}/out"], check=True, cwd=poseval, capture_output=True)
            numbers[case] = {**part(place / "out/total_AP_metrics.json", "ap"),
                             **part(place / "out/total_MOT_metrics.json", "mota", "motp", "pre", "rec")}
    rows = [f' "{case}": {{\n' + ",\n".join(f'  "{name}": {json.dumps(values)}' for name, values in of.items()) + "}"
            for case, of in numbers.items()]
    (HERE / "official_posetrack.json").write_text("{\n" + ",\n".join(rows) + "\n}\n")


def write(folder: pathlib.Path, clips: dict) -> None:
    folder.mkdir(parents=True)
    for name, clip in clips.items():
        (folder / name).write_text(json.dumps(clip))


def part(path: pathlib.Path, *names: str) -> dict[str, list[float]]:
    """Of the fifteen joints, and of all."""
    numbers = json.loads(path.read_text())
    return {name: [round(value, 6) for value in numbers[name]] for name in names}


if __name__ == "__main__":
    main()
