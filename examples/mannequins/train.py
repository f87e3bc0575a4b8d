"""Train the mannequin network on drawn scenes and write it as ONNX."""

import argparse
import logging
import os
import pathlib
import sys
from typing import List, Optional

import numpy as np
import onnx
import onnxruntime
import torch
from torch.nn.functional import mse_loss

if not __package__:
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from mannequins.data import Pool, batches, draw_pool  # noqa: E402
from mannequins.network import MannequinNet, fold, subtract_doubt  # noqa: E402
from wholebody.engines.onnxfile import graph_sha256, with_card  # noqa: E402
from wholebody.export.presets import load_preset  # noqa: E402

DRAWING_PROCESSES = 2
THREADS = 1  # two gain little here, and lose much where another process shares the cores
SCENES, STEPS, BATCH = 2000, 4500, 6
LEARNING_RATE = 4e-3
WARM_UP_STEPS = 200
REPORT_EVERY = 200
OPSET, NEWEST_IR_VERSION = 13, 8
MOST_BYTES = 300000
LARGEST_DIFFERENCE = 1e-4

log = logging.getLogger("mannequins.train")


def train(pool: Pool, steps: int, seed: int) -> MannequinNet:
    """Train a network from nothing; the same pool, steps and seed give the same weights."""
    torch.use_deterministic_algorithms(True)
    # Filling fresh memory takes a fifth of the time, and nothing here reads it unwritten.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.set_num_threads(THREADS)
    torch.manual_seed(seed)
    net = MannequinNet().train()
    net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # three times as fast
    optimizer = torch.optim.Adam(net.parameters(), lr=LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, steps))
    running = 0.0
    for step, (images, answers) in enumerate(batches(pool, BATCH, steps, seed), 1):
        image = torch.from_numpy(images).contiguous(memory_format=torch.channels_last)
        answer = torch.from_numpy(answers)
        losses = [mse_loss(stage, answer, reduction="sum") for stage in net.stages(image)]
        loss = torch.stack(losses).sum() / len(images)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        schedule.step()
        running += loss.item()
        if step % REPORT_EVERY == 0 or step == steps:
            log.info("step %d of %d: loss %.2f", step, steps, running / ((step - 1) % REPORT_EVERY + 1))
            running = 0.0
    net.eval()
    return net


def _rate(step: int, steps: int) -> float:
    """Share of the learning rate: a linear warm-up, then a cosine down to nothing."""
    return float(min(1.0, (step + 1) / WARM_UP_STEPS) * 0.5 * (1 + np.cos(np.pi * step / steps)))


def export(net: MannequinNet, path: pathlib.Path) -> None:
    """Take the doubt off, fold the batch norms, write ONNX, and check its format, its size and its answers."""
    net.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    net.eval()
    subtract_doubt(net)
    image = torch.rand(2, 3, 96, 160, generator=torch.Generator().manual_seed(0)) - 0.5
    with torch.no_grad():
        expected = [output.numpy() for output in net(image)]
    fold(net)
    names = ["heatmaps", "pafs"]
    axes = {name: {0: "N", 2: "H", 3: "W"} if name == "image" else {0: "N", 2: "h", 3: "w"}
            for name in ["image"] + names}
    torch.onnx.export(net, (torch.zeros(1, 3, 64, 64),), str(path), input_names=["image"], output_names=names,
                      dynamic_axes=axes, opset_version=OPSET, dynamo=False)
    model = onnx.load(str(path))
    onnx.checker.check_model(model)
    if model.ir_version > NEWEST_IR_VERSION:
        raise RuntimeError("%s has IR version %d; expected at most %d"
                           % (path, model.ir_version, NEWEST_IR_VERSION))
    if path.stat().st_size > MOST_BYTES:
        raise RuntimeError("%s has %d bytes; expected at most %d" % (path, path.stat().st_size, MOST_BYTES))
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    for name, want, got in zip(names, expected, session.run(names, {"image": image.numpy()})):
        difference = float(np.abs(want - got).max())
        if difference > LARGEST_DIFFERENCE:
            raise RuntimeError("%s of %s differs from torch by %g; expected at most %g"
                               % (name, path, difference, LARGEST_DIFFERENCE))


def add_card(path: pathlib.Path) -> None:
    """Put card.json into the file, with the hash of its weights."""
    data = path.read_bytes()
    card = load_preset(str(pathlib.Path(__file__).with_name("card.json")))
    path.write_bytes(with_card(data, card._replace(source="train.py", weights_sha256=graph_sha256(data))))


def main(argv: Optional[List[str]] = None) -> int:
    """Train and export."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("-o", "--output", type=pathlib.Path, required=True, help="write the ONNX file here")
    parser.add_argument("--steps", type=int, default=STEPS, help="train for this many batches")
    parser.add_argument("--scenes", type=int, default=SCENES, help="draw this many scenes first")
    parser.add_argument("--seed", type=int, default=0, help="seed of scenes, weights and crops")
    args = parser.parse_args(argv)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(message)s")
    log.info("drawing %d scenes", args.scenes)
    pool = draw_pool(args.scenes, args.seed, DRAWING_PROCESSES)
    export(train(pool, args.steps, args.seed), args.output)
    add_card(args.output)
    log.info("wrote %s, %d bytes", args.output, os.path.getsize(args.output))
    return 0


if __name__ == "__main__":
    sys.exit(main())
