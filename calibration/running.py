"""A model over the images that an annotation file names, into a results file."""
import pathlib
import time
from collections.abc import Callable, Iterator
from typing import Any

from wholebody.errors import EvaluationError, SourceError
from wholebody.poses import Frame
from wholebody.runtime.lane import StagedEstimator
from wholebody.runtime.pipeline import PipelineOptions, Summary, run_pipeline
from wholebody.runtime.sinks import CocoJson, Sink
from wholebody.runtime.sources import Source
from wholebody.runtime.sources.pictures import read_picture


class AnnotatedImages(Source):
    """The images of an annotation file that lie in a folder; each frame is named by its image id."""

    kind = "folder"

    def __init__(self, truth: Any, folder: str) -> None:
        super().__init__(folder)
        self._paths = {image["id"]: _find(pathlib.Path(folder), image["file_name"])
                       for image in truth.dataset["images"]}
        missing = [path for path in self._paths.values() if not path.exists()]
        if missing:
            raise EvaluationError(f"{len(missing)} of {len(self._paths)} annotated images are not in {folder}: "
                                  f"{missing[0].name} is the first")
        self.length = len(self._paths)

    def __iter__(self) -> Iterator[Frame]:
        for index, (number, path) in enumerate(sorted(self._paths.items())):
            try:
                yield Frame(read_picture(path), index, time.monotonic(), f"{number:012d}")
            except SourceError as error:
                self.problem(str(error))

    def picture(self, image_id: int) -> Any:
        """One image, BGR."""
        return read_picture(self._paths[image_id])


def _find(folder: pathlib.Path, name: str) -> pathlib.Path:
    """Where an image lies: with all the folders that its name has, or with fewer of them."""
    parts = pathlib.PurePosixPath(name).parts
    candidates = [folder.joinpath(*parts[i:]) for i in range(len(parts))]
    return next((path for path in candidates if path.exists()), candidates[-1])


def run_into(estimate: StagedEstimator, images: AnnotatedImages, sink: Sink,
             on_frame: Callable[[int, int], None]) -> Summary:
    """A model over the images, into a protocol's results file."""
    return run_pipeline(images, estimate, [sink], PipelineOptions(), on_frame)


def run_on_annotated(estimate: StagedEstimator, images: AnnotatedImages, results: pathlib.Path,
                     on_frame: Callable[[int, int], None]) -> Summary:
    """The same into a COCO results file."""
    return run_into(estimate, images, CocoJson(results, overwrite=True), on_frame)
