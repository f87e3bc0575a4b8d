"""PafDecoder: heat maps and part-affinity fields in, Poses out, by one of several backends."""
import logging
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional

from wholebody.engines.device import Device
from wholebody.errors import ModelError, SkeletonError
from wholebody.poses import Poses
from wholebody.runtime.cuda import CudaDevice
from wholebody.runtime.paf.backend import Backend, HostBackend
from wholebody.runtime.paf.cuda_backend import CudaBackend
from wholebody.runtime.paf.inputs import checked_heatmaps, checked_maps
from wholebody.runtime.paf.native_backend import NativeBackend
from wholebody.runtime.paf.numpy_backend import NumpyBackend
from wholebody.runtime.paf.options import PafOptions
from wholebody.skeletons import Skeleton

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

_log = logging.getLogger(__name__)
_told: List[str] = []


def _native(skeleton: Skeleton, stride: int, options: PafOptions, _: Optional[Device] = None) -> HostBackend:
    return NativeBackend(skeleton, stride, options)


def _numpy(skeleton: Skeleton, stride: int, options: PafOptions, _: Optional[Device] = None) -> HostBackend:
    return NumpyBackend(skeleton, stride, options)


def host_backend(skeleton: Skeleton, stride: int, options: PafOptions, _: Optional[Device] = None) -> HostBackend:
    """Native where its library is built, else NumPy, said once."""
    try:
        return NativeBackend(skeleton, stride, options)
    except ModelError as error:
        if str(error) not in _told:
            _told.append(str(error))
            _log.warning("PAF decoding runs on NumPy, many times slower than native: %s", error)
        return NumpyBackend(skeleton, stride, options)


def _cuda(skeleton: Skeleton, stride: int, options: PafOptions, device: Optional[Device] = None) -> Backend:
    """On this GPU, or the first one."""
    if device is not None:
        return CudaBackend(skeleton, stride, options, host_backend(skeleton, stride, options), device)
    own = CudaDevice()
    try:
        return CudaBackend(skeleton, stride, options, host_backend(skeleton, stride, options), own, owns_device=True)
    except Exception:
        own.close()
        raise


BACKENDS: Dict[str, Callable[[Skeleton, int, PafOptions, Optional[Device]], Backend]] = {
    "native": _native,
    "numpy": _numpy,
    "cuda": _cuda,
    "auto": host_backend,
}


class PafDecoder:
    """Finds people in the maps of one network.

    Calls from several threads wait for each other; give each thread its own decoder.
    A map value that is not finite, or beyond 1e9, counts as 0. Maps of less than two cells hold nobody.

    >>> import numpy as np
    >>> from wholebody.skeletons import get_skeleton
    >>> decode = PafDecoder(get_skeleton("COCO_18"), backend="numpy")
    >>> decode(np.zeros((19, 46, 82), np.float32), np.zeros((38, 46, 82), np.float32))
    Poses(0 people, COCO_18)
    """

    def __init__(self, skeleton: Skeleton, stride: int = 8, backend: str = "auto",
                 options: Optional[PafOptions] = None, device: Optional[Device] = None) -> None:
        """`stride`: input pixels a map cell; `options`: by default `PafOptions.for_skeleton(skeleton)`.

        `device`: the GPU of backend "cuda", by default the first; it stays open, and is closed by who opened it.
        """
        if not skeleton.paf_pairs:
            raise SkeletonError("skeleton %s has no PAF pairs; PafDecoder needs a set with `paf.pairs`, "
                                "for example BODY_25" % skeleton.name)
        if backend not in BACKENDS:
            raise ValueError("unknown PAF backend %r; known: %s" % (backend, ", ".join(BACKENDS)))
        if int(stride) != stride or stride < 1:
            raise ValueError("stride: expected a whole number of pixels, 1 or more, got %r" % (stride,))
        self.skeleton, self.stride = skeleton, int(stride)
        self.options = PafOptions.for_skeleton(skeleton) if options is None else options.checked()
        self._backend = BACKENDS[backend](skeleton, self.stride, self.options, device)

    def __call__(self, heatmaps: "npt.NDArray[np.float32]", pafs: "npt.NDArray[np.float32]") -> Poses:
        """Poses in pixels of the network input, from maps (K or K + 1, h, w) and (2L, h, w) of any strides."""
        heat, fields = checked_maps(heatmaps, pafs, self.skeleton)
        if heat.shape[1] * heat.shape[2] <= 1:
            return Poses.empty(self.skeleton)
        return self._backend.decode(heat, fields)

    def candidates(self, heatmaps: "npt.NDArray[np.float32]") -> "List[npt.NDArray[np.float32]]":
        """Every peak before assembly: for each keypoint (n, 3) x, y, score in pixels of the network input."""
        heat = checked_heatmaps(heatmaps, self.skeleton)
        if heat[0].size <= 1:
            heat = heat[:, :0, :0]
        return self._backend.candidates(heat)

    def close(self) -> None:
        """Free what the backend holds; the decoder is not usable afterwards."""
        self._backend.close()

    def __enter__(self) -> "PafDecoder":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()
