#!/usr/bin/env python3
"""Loss curves of vitcl and PyTorch, training the same small model on images of CIFAR-10's shape with the same settings.

  bench/curves.py --build build/release --python PYTHON-WITH-TORCH   draws images, trains with three seeds each

Both draw their parameters and the order of the images themselves; what is the same are the distributions, the images,
AdamW's settings and each step's learning rate. So curves agree where they differ no more than seeds do. The images are
drawn (sums of a few waves a class, shifted at random, tinted and noisy), as no data set comes with Python. Needs numpy
and torch.
"""
import argparse
import statistics
import sys
import tempfile
from pathlib import Path

import numpy
import torch
from torch.nn import functional as F

import runs
from peers import HERE, Failure
from pytorch_vit import VisionTransformer
from vit_fields import ViT

SIDE, CHANNELS, CLASSES = 32, 3, 10
FIELDS = ViT(image_size=SIDE, patch_size=4, channels=CHANNELS, dim=64, depth=4, heads=4)
BATCH, LR, WEIGHT_DECAY, WARM_UP = 100, 0.001, 0.05, 2


def draw_images(count, random):
    """Labels (count) and images (count, 3, 32, 32), as bytes."""
    waves = numpy.random.default_rng(1).uniform(-0.6, 0.6, (CLASSES, CHANNELS, 3, 3))  # frequencies across, down, phase
    labels = random.integers(0, CLASSES, count)
    place = numpy.arange(SIDE)
    x, y = (place + random.uniform(0, SIDE, (count, 1)) for _ in range(2))
    across, down, phase = (waves[labels][..., i][..., None, None] for i in range(3))
    planes = numpy.sin(across * x[:, None, None, None, :] + down * y[:, None, None, :, None] + 10 * phase).mean(axis=2)
    planes = planes * random.uniform(0.5, 1, (count, CHANNELS, 1, 1)) + random.normal(0, 0.7, planes.shape)
    return labels.astype(numpy.uint8), numpy.clip(128 + 60 * planes, 0, 255).astype(numpy.uint8)


def write_cifar(folder, labels, images):
    """CIFAR-10's binary version: a label and the planes of an image in each record; the test images are the last."""
    records = numpy.concatenate([labels[:, None], images.reshape(len(labels), -1)], axis=1)
    names = [f"data_batch_{i}.bin" for i in range(1, 6)] + ["test_batch.bin"]
    for name, part in zip(names, numpy.array_split(records, len(names))):
        (folder / name).write_bytes(part.tobytes())
    return len(part)


def vitcl_curve(options, data, folder, seed):
    """Each step's learning rate and loss."""
    runs.train(options.build, "--device", options.device, "--data", data, "--output", folder, "--seed", seed,
               "--epochs", options.epochs, "--batch-size", BATCH, "--patch-size", FIELDS.patch_size, "--dim", FIELDS.dim,
               "--depth", FIELDS.depth, "--heads", FIELDS.heads, "--opt", "adamw", "--lr", LR, "--weight-decay",
               WEIGHT_DECAY, "--sched", "cosine", "--warmup-epochs", WARM_UP, "--quiet")
    steps = runs.rows(folder, "step")
    return [row["lr"] for row in steps], [row["train_loss"] for row in steps]


def decayed(name, parameter):
    return parameter.dim() > 1 and name not in ("class_token", "positions")


def pytorch_curve(images, labels, rates, seed):
    """Each step's loss."""
    torch.manual_seed(seed)
    model = VisionTransformer(FIELDS)
    groups = [{"params": [p for name, p in model.named_parameters() if decayed(name, p) == decays],
               "weight_decay": WEIGHT_DECAY * decays} for decays in (False, True)]
    adam = torch.optim.AdamW(groups)
    losses, order = [], torch.empty(0, dtype=torch.long)
    for rate in rates:
        if not len(order):
            order = torch.randperm(len(images))
        batch, order = order[:BATCH], order[BATCH:]
        for group in adam.param_groups:
            group["lr"] = rate
        adam.zero_grad()
        loss = F.cross_entropy(model(images[batch]), labels[batch])
        loss.backward()
        adam.step()
        losses.append(loss.item())
    return losses


def by_epoch(losses, epochs):
    return [float(part.mean()) for part in numpy.array_split(numpy.array(losses), epochs)]


def report(ours, theirs):
    """A Markdown table of the curves, a list of epochs for each seed."""
    lines = ["| epoch | vitcl's loss | PyTorch's loss | difference | spread of seeds |", "|---|---|---|---|---|"]
    for epoch, (a, b) in enumerate(zip(zip(*ours), zip(*theirs)), 1):
        spread = max(max(a) - min(a), max(b) - min(b))
        lines.append(f"| {epoch} | {statistics.mean(a):.4f} | {statistics.mean(b):.4f} | "
                     f"{statistics.mean(a) - statistics.mean(b):+.4f} | {spread:.4f} |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, default=HERE.parent / "build/release", help="folder of a release build")
    parser.add_argument("--device", default="auto", help="vitcl's device")
    parser.add_argument("--images", type=int, default=6000, help="of which a sixth is only tested on")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    labels, images = draw_images(options.images, numpy.random.default_rng(0))
    ours, theirs = [], []
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        (folder / "cifar").mkdir()
        train = len(labels) - write_cifar(folder / "cifar", labels, images)
        seen = torch.from_numpy(images[:train]).float() / 255
        seen = (seen - seen.mean((0, 2, 3), keepdim=True)) / seen.std((0, 2, 3), keepdim=True)
        for seed in range(options.seeds):
            rates, losses = vitcl_curve(options, folder / "cifar", folder / f"run-{seed}", seed)
            ours.append(by_epoch(losses, options.epochs))
            theirs.append(by_epoch(pytorch_curve(seen, torch.from_numpy(labels[:train]).long(), rates, seed), options.epochs))
            print(f"seed {seed}: {ours[-1][-1]:.4f}, PyTorch {theirs[-1][-1]:.4f}", file=sys.stderr)
    print(report(ours, theirs))


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit(f"curves.py: {failure}")
