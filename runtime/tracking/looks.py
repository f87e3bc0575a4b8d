"""What people look like, by a network that was trained to tell them apart, or by their clothes."""
from typing import TYPE_CHECKING, Any

import numpy as np

from wholebody.card import input_size
from wholebody.engines.engine import Engine
from wholebody.engines.fit import check_fit
from wholebody.engines.onnxfile import NO_CARD
from wholebody.engines.opening import OpenOptions, open_engine
from wholebody.errors import CardError
from wholebody.poses import Poses
from wholebody.runtime.cuda import CudaDevice
from wholebody.runtime.topdown.boxes import plan_crops
from wholebody.runtime.topdown.choosing import choose_backend
from wholebody.runtime.topdown.lane import Grown, Runs
from wholebody.runtime.tracking.appearance import Appearance, of_length_one
from wholebody.runtime.tracking.colours import Colours
from wholebody.skeletons import Skeleton

if TYPE_CHECKING:
    import numpy.typing as npt

_AT_ONCE = 16
COLOURS = "colours"


def open_appearance(how: str, skeleton: Skeleton, threads: int = 0, trust: str = "") -> Appearance:
    """`colours`, or a network's file."""
    if how == COLOURS:
        return Colours(skeleton)
    engine = open_engine(how, OpenOptions(threads, CudaDevice, trust))
    try:
        return NetworkLooks(engine)
    except BaseException:
        engine.close()
        raise


class NetworkLooks(Appearance):
    """Everybody of a frame through a network with an embedding head, cut out as its card says."""

    def __init__(self, engine: Engine) -> None:
        """Takes over `engine` and closes it."""
        if engine.card is None:
            raise CardError(NO_CARD.format(model=engine.path))
        heads = [head for head in engine.card.heads if head.kind == "embedding"]
        if not heads:
            raise CardError("%s: its heads are %s, and people are told apart by an embedding head; --looks colours "
                            "needs no network" % (engine.path, ", ".join(head.kind for head in engine.card.heads)))
        check_fit(engine.card, engine.inputs, engine.outputs, engine.path)
        if engine.card.input.size is None:
            raise CardError("%s: a network for one person needs a fixed input: export it with --size WxH" % engine.path)
        self._engine, self._spec = engine, engine.card.input
        self._output = heads[0].output("embedding").output
        self._backend = choose_backend("auto")
        self._input, self._runs = Grown(self._spec), Runs()
        self._limit = min(engine.max_batch or _AT_ONCE, _AT_ONCE)

    def describe(self, image: "npt.NDArray[np.uint8]", poses: Poses) -> "npt.NDArray[np.float32]":
        """(N, D) as the network gives them, of length one."""
        blob = self._input.of(len(poses))
        if not len(poses):
            return np.zeros((0, self._width), np.float32)
        crops = plan_crops(poses.boxes_xyxy, input_size(self._spec), self._spec.box_padding or 1.0)
        self._backend.crops(image, crops.matrices, self._spec, blob)
        rows: Any = self._runs(self._engine, self._spec.name, blob, self._limit)[self._output]
        return of_length_one(np.asarray(rows, np.float32).reshape(len(poses), -1))

    @property
    def _width(self) -> int:
        """Numbers of a row; of a network that does not say it, 0."""
        shape = next(tensor.shape for tensor in self._engine.outputs if tensor.name == self._output)
        return int(shape[-1]) if isinstance(shape[-1], int) and shape[-1] > 0 else 0

    def close(self) -> None:
        """Free the network."""
        self._runs = Runs()
        self._engine.close()
