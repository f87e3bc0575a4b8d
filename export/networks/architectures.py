"""The networks by name."""
import functools
from collections.abc import Callable

from torch import nn

from wholebody.export.networks import lightweight, lite, openpose, osnet, pose_attention, trt_pose
from wholebody.export.networks.architecture import LIGHTWEIGHT, LOOKS, OWN, TRT_POSE, Architecture
from wholebody.export.networks.lightweight import LightweightOpenPose
from wholebody.export.networks.lite import WholebodyLite
from wholebody.export.networks.openpose import OpenPose
from wholebody.export.networks.openpose_2017 import OneBranch, TwoBranches
from wholebody.export.networks.osnet import OsNet
from wholebody.export.networks.pose_attention import PoseGuidedLooks
from wholebody.export.networks.topdown import TOP_DOWN_NETWORKS


def _body(name: str, table: openpose.Table, skeleton: str, preset: str,
          size: tuple[int, int] = (368, 656)) -> Architecture:
    channels = (("heatmaps", table.heatmap_stages[-1].out), ("pafs", table.paf_stages[-1].out))
    return Architecture(name, functools.partial(OpenPose, table), skeleton, channels, preset, size)


def _body_2017(name: str, pafs: int, heatmaps: int, stages: int, skeleton: str,
               unused: tuple[str, ...] = ()) -> Architecture:
    return Architecture(name, functools.partial(TwoBranches, pafs, heatmaps, stages), skeleton,
                        (("heatmaps", heatmaps), ("pafs", pafs)), name, (368, 656), unused=unused)


def _part(name: str, skeleton: str, heatmaps: int) -> Architecture:
    return Architecture(name, functools.partial(OneBranch, heatmaps), skeleton, (("heatmaps", heatmaps),), name,
                        (368, 368))


def _lightweight(refinements: int) -> Architecture:
    later = "".join(str(r) for r in range(refinements, 3))
    return Architecture(
        f"lightweight-openpose-{refinements}", functools.partial(LightweightOpenPose, refinements), "COCO_18",
        (("heatmaps", lightweight.HEATMAPS), ("pafs", lightweight.PAFS)), "lightweight-openpose", (368, 656),
        LIGHTWEIGHT, unused=(rf"refinement_stages\.[{later}]\.",) if later else ())


def _trt_pose(backbone: str, build: Callable[[], nn.Module], side: int, classifier: str) -> Architecture:
    return Architecture(f"trt-pose-{backbone}", build, "TRT_POSE_18",
                        (("heatmaps", trt_pose.HEATMAPS), ("pafs", trt_pose.PAFS)), "trt-pose", (side, side),
                        TRT_POSE, 4, (rf"0\.{classifier}\.",))


def _looks(name: str, build: Callable[[], nn.Module], width: int, size: tuple[int, int]) -> Architecture:
    return Architecture(name, build, "", (("embedding", width),), name, size, LOOKS, 0, (r"classifier\.",),
                        one_size=True)


_ALL = (
    _body("openpose-body25", openpose.BODY_25, "BODY_25", "openpose-body25"),
    _body("openpose-body25b-1", openpose.BODY_25B_OPTION_1, "BODY_25B", "openpose-body25b", (480, 848)),
    _body("openpose-body25b-2", openpose.BODY_25B_OPTION_2, "BODY_25B", "openpose-body25b"),
    _body("openpose-body135", openpose.BODY_135, "BODY_135", "openpose-body135", (480, 848)),
    _body_2017("openpose-coco", 38, 19, 6, "COCO_18"),
    _body_2017("openpose-mpi", 28, 16, 6, "MPI_15"),
    _body_2017("openpose-mpi-4", 28, 16, 4, "MPI_15", unused=(r"Mconv\d_stage[56]_L[12]\.",)),
    _part("openpose-face", "FACE_70", 71),
    _part("openpose-hand", "HAND_21", 22),
    *(_lightweight(refinements) for refinements in (3, 2, 1)),
    _trt_pose("resnet18", trt_pose.trt_pose_resnet18, 224, r"resnet\.fc"),
    _trt_pose("densenet121", trt_pose.trt_pose_densenet121, 256, r"densenet\.classifier"),
    Architecture("wholebody-lite", WholebodyLite, "COCO_18", (("heatmaps", lite.HEATMAPS), ("pafs", lite.PAFS)),
                 "wholebody-lite", (368, 656), OWN),
    *TOP_DOWN_NETWORKS,
    _looks("osnet-ain", OsNet, osnet.EMBEDDING, (256, 128)),
    _looks("alphapose-pga", PoseGuidedLooks, pose_attention.EMBEDDING, (256, 192)),
)
ARCHITECTURES = {architecture.name: architecture for architecture in _ALL}
