"""A checkpoint becomes a network that runs: read, recognised, every tensor in its place."""
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from wholebody.errors import CheckpointError
from wholebody.export.checkpoints.checkpoint import KERAS, TORCH, Checkpoint, file_sha256
from wholebody.export.checkpoints.reading import read_checkpoint
from wholebody.export.networks.architecture import LOOKS, TOP_DOWN, Architecture, meta_network
from wholebody.export.recognition import Match, recognise
from wholebody.skeletons import Skeleton, get_skeleton


@dataclass(frozen=True)
class LoadedNetwork:
    """A network in evaluation mode with the weights of a file."""

    network: nn.Module
    architecture: Architecture
    skeleton: Skeleton | None
    notes: tuple[str, ...]  # what a user of the network should know, for its card
    sha256: str             # of the file


def load_network(path: str, arch: str | None = None, skeleton: Skeleton | None = None) -> LoadedNetwork:
    """The network a checkpoint holds; `arch` names it where the file itself leaves a choice.

    `skeleton` is that of a top-down network; without it the known one with as many keypoints is taken.
    """
    checkpoint = read_checkpoint(path)
    match = recognise(checkpoint, arch)
    skeleton = _skeleton(match.architecture, skeleton, path)
    notes = tuple(_notes(checkpoint, match))
    network = _filled(match, path)
    return LoadedNetwork(network, match.architecture, skeleton, notes, file_sha256(path))


def _skeleton(architecture: Architecture, asked: Skeleton | None, path: str) -> Skeleton | None:
    if architecture.family == LOOKS:
        if asked is not None:
            raise CheckpointError(f"{path} is {architecture.name}, which finds no keypoints: leave --skeleton out")
        return None
    if architecture.family != TOP_DOWN:
        if asked is not None and asked.name != architecture.skeleton:
            raise CheckpointError(f"{path} is {architecture.name}, whose keypoints are {architecture.skeleton}; "
                                  f"another skeleton can be given to top-down networks only, got {asked.name}")
        return get_skeleton(architecture.skeleton)
    if asked is None:
        if not architecture.skeleton:
            raise CheckpointError(f"{path} is {architecture.name} with {architecture.keypoints} keypoints, which no "
                                  "known skeleton has: --skeleton FILE.json names them (docs/skeletons.md)")
        return get_skeleton(architecture.skeleton)
    if len(asked.keypoints) != architecture.keypoints:
        raise CheckpointError(f"{path} is {architecture.name} with {architecture.keypoints} keypoints, "
                              f"{asked.name} has {len(asked.keypoints)}: another --skeleton")
    return asked


def _filled(match: Match, path: str) -> nn.Module:
    network = meta_network(match.architecture)
    state = {}
    for key, empty in network.state_dict().items():
        if key.endswith(".num_batches_tracked"):  # counts training steps; nothing reads it here
            state[key] = torch.zeros((), dtype=torch.long)
            continue
        name = match.architecture.official_name(key)
        state[key] = _weights(match.tensors[name], tuple(empty.shape), f"{path}: {name}")
    network.load_state_dict(state, strict=True, assign=True)
    return network.requires_grad_(False)


def _weights(tensor: Tensor, shape: tuple[int, ...], where: str) -> Tensor:
    """float32 in the network's shape; the shape of `tensor` was compared before."""
    if tensor.layout != torch.strided or tensor.device.type != "cpu" or not tensor.dtype.is_floating_point:
        raise CheckpointError(f"{where}: expected floating-point weights, got {tensor.dtype} on {tensor.device} "
                              f"({tensor.layout})")
    weights = tensor.to(torch.float32).reshape(shape).contiguous()
    if not bool(torch.isfinite(weights).all()):
        raise CheckpointError(f"{where} holds numbers that are not finite; take an earlier checkpoint")
    return weights


def _notes(checkpoint: Checkpoint, match: Match) -> Iterator[str]:
    if match.unused:
        yield f"{len(match.unused)} tensors of the file are not in this network, {match.unused[0]} first"
    if match.architecture.name == "openpose-coco" and checkpoint.format == TORCH:
        yield ("pytorch-openpose has a ReLU after its last heat maps, Caffe's network and this one have none: "
               "negative values differ")
    if match.architecture.name == "openpose-coco" and checkpoint.format == KERAS:
        yield "the port divides by 256 and subtracts 0.5 in a layer of its own; here the card does it"
    if match.architecture.name == "lightweight-openpose-3":
        yield ("all three refinement stages of the file; its authors' figures are for one: "
               "--arch lightweight-openpose-1")
