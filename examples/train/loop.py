"""The run itself: steps, log, checkpoints, measurements."""

import csv
import logging
import pathlib
import time
from typing import Dict, List, Optional

import torch
from torch import Tensor

from wholebody.export.networks.lite import WholebodyLite
from wholebody.files import replace_when_done
from wholebody.skeletons import Skeleton, get_skeleton

from .coco import Photograph, load_photographs
from .data import Batch, SampleOptions, Samples, batches
from .loss import losses
from .options import Options
from .state import TrainingState, frozen_parts
from .teacher import fill_cache
from .trained import INPUT_MEAN, INPUT_STD, measure, write_model, write_weights

CHECKPOINT, LOG, WEIGHTS, MODEL, DEV_LOG = "checkpoint.pt", "log.csv", "weights.safetensors", "model.onnx", "dev.csv"
COLUMNS = ("step", "rate", "loss", "labels", "teacher", "last", "gradient", "seconds")
REPORT_EVERY = 20

log = logging.getLogger("train")


def train(options: Options) -> pathlib.Path:
    """Train, or go on with what the output folder holds; the model file."""
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / "options.json").write_text(options.to_json() + "\n", encoding="utf-8")
    if options.threads:
        torch.set_num_threads(options.threads)
    skeleton = get_skeleton(options.skeleton)
    samples = _samples(options, skeleton)
    state = TrainingState(options, skeleton)
    if (options.output / CHECKPOINT).exists():
        state.load(options.output / CHECKPOINT)
    _cut_log(options.output / LOG, state.step)
    rows: List[Dict[str, float]] = []
    started, first = time.monotonic(), state.step
    for batch in batches(samples, options.batch, state.step, options.steps, options.workers):
        rows.append(one_step(state, batch))
        if state.step % REPORT_EVERY == 0 or state.step == options.steps:
            _report(options, rows, (time.monotonic() - started) / (state.step - first))
        if state.step % options.save_every == 0 or state.step == options.steps:
            _append(options.output / LOG, rows)
            rows = []
            state.save(options.output / CHECKPOINT)
        if state.step == options.steps or options.measure_every and state.step % options.measure_every == 0:
            _deliver(options, state, skeleton)
    return options.output / MODEL


def one_step(state: TrainingState, batch: Batch) -> Dict[str, float]:
    """Learn from one batch; a row of the log."""
    options, started = state.options, time.monotonic()
    rate = state.set_rate()
    batch = Batch(*(tensor.to(options.device) for tensor in batch))
    _training_mode(state.network, options)
    with torch.autocast(torch.device(options.device).type, torch.bfloat16, enabled=options.precision == "bfloat16"):
        stages = state.network.stages(normalised(batch.pictures))
    found = losses([(heatmaps.float(), pafs.float()) for heatmaps, pafs in stages], batch, state.weights)
    if not bool(torch.isfinite(found.total)):
        raise RuntimeError("step %d: the loss is not finite; try a lower --learning-rate" % state.step)
    state.optimizer.zero_grad()
    torch.autograd.backward(found.total)
    gradient = torch.nn.utils.clip_grad_norm_(state.network.parameters(), options.clip)
    state.optimizer.step()
    state.step += 1
    state.update_average()
    numbers = [state.step, rate, found.total.item(), found.labels.item(), found.teacher.item(), found.last.item(),
               float(gradient), time.monotonic() - started]
    return dict(zip(COLUMNS, numbers))


def normalised(pictures: Tensor) -> Tensor:
    """BGR pictures (B, 3, S, S) uint8 as the encoder was trained: RGB about -1 to 1."""
    rgb = pictures.flip(1).to(torch.float32)
    return ((rgb - INPUT_MEAN) / INPUT_STD).contiguous(memory_format=torch.channels_last)


def _training_mode(network: WholebodyLite, options: Options) -> None:
    network.train()
    for part in frozen_parts(network, options):
        part.eval()
    if options.freeze_norms:
        for module in network.encoder.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.eval()


def _samples(options: Options, skeleton: Skeleton) -> Samples:
    photographs = photographs_of(options, options.split)
    teacher = None
    if options.teacher is not None:
        teacher = fill_cache(options.teacher, photographs, skeleton, options.cache or options.output / "teacher")
    return Samples(photographs, SampleOptions(skeleton, options.crop, options.seed, teacher, options.augmentation))


def photographs_of(options: Options, split: Optional[pathlib.Path]) -> List[Photograph]:
    """The photographs a split names; all without a split."""
    names = None if split is None else split.read_text(encoding="utf-8").split()
    return load_photographs(options.annotations, options.images, get_skeleton(options.skeleton),
                            get_skeleton(options.labels), names)


def _deliver(options: Options, state: TrainingState, skeleton: Skeleton) -> None:
    """Weights and model file of the moving average, and how good it is."""
    write_weights(state.average, options.output / WEIGHTS)
    write_model(options.output / WEIGHTS, skeleton, options.output / MODEL)
    if options.dev_split is None:
        return
    names = options.dev_split.read_text(encoding="utf-8").split()
    precision = measure(options.output / MODEL, options.annotations, options.images, names)["AP"]
    log.info("step %d: AP %.4f on %d photographs", state.step, precision, len(names))
    with open(str(options.output / DEV_LOG), "a", encoding="utf-8") as file:
        file.write("%d,%.4f\n" % (state.step, precision))


def _report(options: Options, rows: List[Dict[str, float]], seconds: float) -> None:
    recent = rows[-REPORT_EVERY:]
    means = {name: sum(row[name] for row in recent) / len(recent) for name in COLUMNS}
    step = int(rows[-1]["step"])
    minutes = seconds * (options.steps - step) / 60
    log.info("step %d of %d: loss %.4f, last stage %.4f, gradient %.2f, %.2f s a step, %d min left", step,
             options.steps, means["loss"], means["last"], means["gradient"], seconds, minutes)


def _append(path: pathlib.Path, rows: List[Dict[str, float]]) -> None:
    new = not path.exists()
    with open(str(path), "a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        if new:
            writer.writeheader()
        writer.writerows({key: "%.6g" % value for key, value in row.items()} for row in rows)


def _cut_log(path: pathlib.Path, step: int) -> None:
    """Take back the rows of steps that the checkpoint does not know of."""
    if not path.exists():
        return
    with open(str(path), newline="", encoding="utf-8") as file:
        kept = [row for row in csv.DictReader(file) if int(row["step"]) <= step]
    with replace_when_done(path, overwrite=True) as partial, open(str(partial), "w", newline="",
                                                                  encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(kept)
