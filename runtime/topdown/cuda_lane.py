"""The lane of a top-down network on a GPU: frames and a table of crops go there, only the network's outputs come back.

    crop      frames and the table of everybody's crops to the GPU, on the lane's own stream
    pose      crops -> network -> outputs to the host, on the network's stream; nothing waits
    decode    waits for the outputs; keypoints are found on the CPU
"""
from typing import TYPE_CHECKING, Any, Dict, List

import numpy as np

from wholebody.card import InputSpec, input_size
from wholebody.engines.engine import Engine
from wholebody.runtime.cuda_network import CudaNetwork
from wholebody.runtime.detection import Search
from wholebody.runtime.kernels.pictures import DevicePictures, Table
from wholebody.runtime.kernels.preprocess import PICTURE_BYTES, Source, crop_entries, preprocess_launch
from wholebody.runtime.topdown.backend import Backend
from wholebody.runtime.topdown.heads import PointHeads
from wholebody.runtime.topdown.lane import MakePoses, TopDownLane

if TYPE_CHECKING:
    import numpy.typing as npt


class CudaTopDownLane(TopDownLane):
    """One batch in flight: memory for its frames, its crops' table and everybody's outputs."""

    def __init__(self, search: Search, spec: InputSpec, network: CudaNetwork, flip: bool = False) -> None:
        """Takes over the search and closes it; the network is shared with the other lanes; `flip`: mirrored as well."""
        super().__init__(search, spec)
        self.network, self._flip = network, flip
        device = network.device
        with device.active():
            self._stream, self._placed = device.new_stream(), device.new_event()
            self._begun, self._done = device.new_event(), device.new_event()
        self._pictures: List[DevicePictures] = []  # by frame of the lane
        self._table = Table(device)
        self._answers, self._mirrored_answers = _Answers(network), _Answers(network)

    def crop(self, backend: Backend, spec: InputSpec, udp: bool) -> None:
        """Everybody's crop into the table, and mirrored behind them on request; the frames on their way."""
        del backend  # the GPU does it
        self.plan(spec, udp)
        if not self.people:
            return
        size, device = input_size(spec), self.network.device
        rows: List[bytes] = []
        mirrored: List[bytes] = []
        with device.active():
            for index, crops in enumerate(self.crops):
                source = self._place(index)
                rows.append(crop_entries(source, crops.matrices, size))
                if self._flip:
                    mirrored.append(crop_entries(source, mirror(crops.matrices, size[0]), size))
            self._table.place(rows + mirrored, self._stream)
            device.record(self._placed, self._stream)

    def infer(self, engine: Engine, spec: InputSpec, limit: int, flip: bool) -> None:
        """Put everything on the network's stream, from crops to outputs on the host."""
        del engine  # the network's
        self._outputs, self._mirrored_outputs = {}, None
        if not self.people:
            return
        device, stream = self.network.device, self.network.stream
        with device.active():
            device.wait(stream, self._placed)
            device.record(self._begun, stream)
            self._outputs = self._run(spec, 0, limit, self._answers)
            if flip:
                self._mirrored_outputs = self._run(spec, self.people, limit, self._mirrored_answers)
            device.record(self._done, stream)

    def find(self, heads: PointHeads, make: MakePoses) -> None:
        """The keypoints of everybody, once the GPU is there."""
        engine_ms = 0.0
        if self.people:
            device = self.network.device
            with device.active():
                device.wait_host(self._done)
                engine_ms = device.elapsed_ms(self._begun, self._done)
        super().find(heads, make)
        self.stage_ms["pose"] = engine_ms  # putting it on the stream took no time worth telling

    def close(self) -> None:
        """Free everything, once what is under way is done; closing twice is allowed."""
        super().close()
        with self.network.device.active():
            self.network.device.synchronize(self.network.stream)
            self.network.device.synchronize(self._stream)
            while self._pictures:
                self._pictures.pop().close()
            self._table.close()

    def _place(self, index: int) -> Source:
        """The frame of this index on its way to the GPU, and where it will lie."""
        image = self.frames[index].image
        key = (image.shape[1], image.shape[0], "bgr")
        if index < len(self._pictures) and self._pictures[index].key != key:
            self._pictures[index].close()
            self._pictures[index] = DevicePictures(self.network.device, 1, *key)
        elif index == len(self._pictures):
            self._pictures.append(DevicePictures(self.network.device, 1, *key))
        self._pictures[index].place([image], self._stream)
        return self._pictures[index].source(0)

    def _run(self, spec: InputSpec, row: int, limit: int, answers: "_Answers") -> "Dict[str, npt.NDArray[Any]]":
        """Everybody whose crops stand in the table from `row` on, at most `limit` at once."""
        network, size, people = self.network, input_size(spec), self.people
        sides = (3, size[1], size[0]) if spec.layout == "NCHW" else (size[1], size[0], 3)
        for first in range(0, people, limit):
            count = min(limit, people - first)
            network.fit((count,) + sides)
            network.launch(preprocess_launch(self._table.address + (row + first) * PICTURE_BYTES, count,
                                             network.buffer(network.input_name).address, size, spec.dtype, spec))
            network.run()
            answers.download(first, count, people)
        return answers.of(people)


class _Answers:
    """Outputs on the host for as many people as were ever seen at once."""

    def __init__(self, network: CudaNetwork) -> None:
        self._network = network
        self._arrays: "Dict[str, npt.NDArray[Any]]" = {}

    def download(self, first: int, count: int, people: int) -> None:
        """What the network says about people first to first + count, of so many, once the stream gets there."""
        for name, (shape, dtype) in self._network.outputs.items():
            held = self._arrays.get(name)
            if held is None or len(held) < people:  # only before the first of them is downloaded
                room = people if held is None else max(people, 2 * len(held))
                held = self._arrays[name] = self._network.device.host_array((room,) + tuple(shape[1:]), dtype)
            self._network.download(name, held[first:first + count])

    def of(self, people: int) -> "Dict[str, npt.NDArray[Any]]":
        """Of the first so many; filled when the stream has got there."""
        return {name: array[:people] for name, array in self._arrays.items()}


def mirror(matrices: "npt.NDArray[np.float32]", width: int) -> "npt.NDArray[np.float32]":
    """Matrices (N, 2, 3) of crops of this width, for the same crops with left and right exchanged.

    >>> mirror(np.array([[[1, 0, 5], [0, 1, 0]]], np.float32), 4).tolist()
    [[[-1.0, 0.0, 8.0], [-0.0, 1.0, 0.0]]]
    """
    mirrored = np.array(matrices, np.float32)
    mirrored[:, :, 2] += np.float32(width - 1) * mirrored[:, :, 0]
    mirrored[:, :, 0] *= np.float32(-1)
    return mirrored

