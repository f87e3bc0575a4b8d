"""Reading JSON files of labels and results; whatever is wrong in them is an EvaluationError that says where."""
import contextlib
import json
import pathlib
from collections.abc import Iterator
from typing import Any

from wholebody.calibration.protocols.base import Truth
from wholebody.errors import EvaluationError
from wholebody.skeletons import is_number

_LISTS = ("images", "annotations", "categories")
_LARGEST = 1e9  # of coordinates and scores; squares of larger ones leave the numbers that NumPy has
_LABELLED = ("image_id", "area", "bbox", "keypoints")


def read_json(path: str, what: str) -> Any:
    """A JSON file; `what` names it in messages."""
    try:
        return json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise EvaluationError(f"cannot read {what} {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise EvaluationError(f"{what} {path} are not valid JSON: {error}") from error


@contextlib.contextmanager
def layout(where: str, expected: str) -> Iterator[None]:
    """For deep layouts: whatever does not fit while the block reads them is said in one line."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
        what = f"no {error}" if isinstance(error, KeyError) else " ".join(str(error).split())
        raise EvaluationError(f"{where}: expected {expected}; got something else: {what}") from error


def read_coco(path: str) -> dict[str, Any]:
    """Annotations in COCO's layout, with whatever keypoints they have."""
    data = read_json(path, "annotations")
    if not isinstance(data, dict) or not all(isinstance(data.get(name), list) for name in _LISTS):
        raise EvaluationError(f"{path}: expected COCO annotations with images, annotations and categories")
    check_pictures(data["images"], path)
    known = {image["id"] for image in data["images"]}
    for i, label in enumerate(data["annotations"]):
        number = label.get("image_id") if isinstance(label, dict) else None
        if type(number) is not int or number not in known:
            raise EvaluationError(f"{path}: annotation {i}: expected the image_id of one of its images, "
                                  f"got {str(number)[:40]}")
    return data


def check_pictures(images: list[Any], where: str) -> None:
    """EvaluationError unless each has a whole number and a name."""
    for image in images:
        if not isinstance(image, dict) or type(image.get("id")) is not int or not isinstance(image.get("file_name"),
                                                                                              str):
            raise EvaluationError(f"{where}: every image needs id, a whole number, and file_name; got "
                                  f"{str(image)[:60]}")


def check_label(label: dict[str, Any], counts: tuple[int, ...], where: str) -> None:
    """EvaluationError unless it is of a person whose OKS can be told; `counts` are of the numbers of `keypoints`."""
    where = f"{where}: annotation {label.get('id')}"
    missing = [name for name in _LABELLED if name not in label]
    if missing:
        raise EvaluationError(f"{where}: no {missing[0]}; expected {', '.join(_LABELLED)}")
    check_numbers([label["area"]], (1,), f"{where}: area")
    if label["area"] < 0:
        raise EvaluationError(f"{where}: area: expected square pixels, got {label['area']}")
    if label.get("iscrowd", 0) not in (0, 1):
        raise EvaluationError(f"{where}: iscrowd: expected 0 or 1, got {str(label['iscrowd'])[:40]}")
    check_numbers(label["bbox"], (4,), f"{where}: bbox")
    check_numbers(label["keypoints"], counts, f"{where}: keypoints")


def read_entries(path: str, truth: Truth, fields: dict[str, tuple[int, ...]]) -> list[dict[str, Any]]:
    """A results file: entries with image_id, score, and each of `fields` with one of its numbers of values."""
    entries = read_list(path, truth)
    names = ", ".join(fields)
    for i, entry in enumerate(entries):
        if not is_number(entry.get("score")):
            raise EvaluationError(f"{path}: entry {i}: expected image_id, score and {names}; score is "
                                  f"{str(entry.get('score', 'missing'))[:40]}")
        for name, counts in fields.items():
            check_numbers(entry.get(name), counts, f"{path}: entry {i}: {name}")
        if entry.get("bbox"):
            check_numbers(entry["bbox"], (4,), f"{path}: entry {i}: bbox")
    return entries


def read_list(path: str, truth: Truth) -> list[dict[str, Any]]:
    """A results file whose entries are of labelled images."""
    entries = read_json(path, "results")
    if not isinstance(entries, list):
        raise EvaluationError(f"{path}: expected a JSON array of COCO results, got {type(entries).__name__}")
    check_images(entries, truth, path)
    return entries


def check_images(entries: list[Any], truth: Truth, where: str) -> None:
    """EvaluationError when one names no image, or one that is not labelled."""
    for i, entry in enumerate(entries):
        if not isinstance(entry, dict) or type(entry.get("image_id")) is not int:
            raise EvaluationError(f"{where}: entry {i}: expected image_id, score and the points; got "
                                  f"{str(entry)[:60]}")
    foreign = sorted({entry["image_id"] for entry in entries} - {image["id"] for image in truth.dataset["images"]})
    if foreign:
        raise EvaluationError(f"{where}: image_id {foreign[0]} is not in the annotations ({len(foreign)} such); "
                              "was it made from other images?")


def check_numbers(values: Any, counts: tuple[int, ...], where: str) -> None:
    """EvaluationError unless there are as many numbers as one of `counts`."""
    expected = " or ".join(str(count) for count in counts)
    if not isinstance(values, list) or len(values) not in counts:
        got = f"{len(values)}" if isinstance(values, list) else "none" if values is None else type(values).__name__
        raise EvaluationError(f"{where}: expected a list of {expected} numbers, got {got}")
    wrong = [i for i, value in enumerate(values) if not is_number(value) or abs(value) > _LARGEST]
    if wrong:
        raise EvaluationError(f"{where}: expected {expected} numbers, number {wrong[0]} is "
                              f"{str(values[wrong[0]])[:40]}")
