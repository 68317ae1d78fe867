#!/usr/bin/env python3
"""What fine-tuning gains: a model that learned five classes of a data set learns the other five from a few images.

  bench/fine_tuning.py --images mnist --runs tuned         a folder with the IDX files; a folder for the runs

Trains on the first five classes, then on --few images of each of the others: from scratch, the new head alone, and the
whole model. Prints the test accuracy on the other five, of each seed and their median, as a Markdown table.
"""
import argparse
import gzip
import statistics
import struct
import sys
import zlib
from collections import Counter
from pathlib import Path

import runs
from peers import HERE, Failure

HALF = 5
FROZEN = "patch_embedding.*,tokens.*,blocks.*"  # the article's model has no other backbone
WAYS = {"from scratch": [], "frozen, the head alone": ["--freeze", FROZEN], "fine-tuned": []}


def read_idx(folder, name):
    """The sizes and the bytes of an IDX file, plain or gzipped."""
    plain = folder / name
    data = plain.read_bytes() if plain.exists() else gzip.decompress((folder / (name + ".gz")).read_bytes())
    axes = data[3]
    return struct.unpack(f">{axes}I", data[4:4 + 4 * axes]), data[4 + 4 * axes:]


def png(pixels, width, height):
    """A grey picture."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    rows = b"".join(b"\0" + pixels[y * width:(y + 1) * width] for y in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def write_pictures(images, target, classes, most):
    """TARGET/train/CLASS and TARGET/val/CLASS, of each class at most so many to train on."""
    for files, split, limit in (("train", "train", most), ("t10k", "val", None)):
        (_, height, width), pixels = read_idx(images, f"{files}-images-idx3-ubyte")
        _, labels = read_idx(images, f"{files}-labels-idx1-ubyte")
        written = Counter()
        for i, label in enumerate(labels):
            if label not in classes or written[label] == limit:
                continue
            written[label] += 1
            folder = target / split / str(label)
            folder.mkdir(parents=True, exist_ok=True)
            size = width * height
            (folder / f"{i}.png").write_bytes(png(pixels[i * size:(i + 1) * size], width, height))


def train(options, output, *flags):
    """The accuracy after the last epoch."""
    runs.train(options.build, "--device", options.device, "--output", output, "--quiet", *flags)
    return 100 * runs.rows(output, "epoch")[-1]["test_accuracy"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, default=HERE.parent / "build/release", help="folder of a release build")
    parser.add_argument("--device", default="auto", help="vitcl's device")
    parser.add_argument("--images", type=Path, required=True, help="folder of MNIST's or Fashion-MNIST's IDX files")
    parser.add_argument("--runs", type=Path, required=True, help="folder to make, for pictures and runs")
    parser.add_argument("--few", type=int, default=40, help="images of each of the other classes")
    parser.add_argument("--rates", type=lambda text: text.split(","), default=["0.0003", "0.001"])
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    options.runs.mkdir(parents=True)
    first, second = options.runs / "first-half", options.runs / "second-half"
    write_pictures(options.images, first, range(HALF), None)
    write_pictures(options.images, second, range(HALF, 2 * HALF), options.few)
    learned = options.runs / "first"
    print(f"first half: {train(options, learned, '--data', first, '--epochs', 3):.1f}%", file=sys.stderr)
    print("| learning rate | way | each seed | median |\n|---|---|---|---|")
    for rate in options.rates:
        for way, flags in WAYS.items():
            start = ["--initial-checkpoint", learned / "checkpoint-last.safetensors"] if way != "from scratch" else []
            found = [train(options, options.runs / f"{way}-{rate}-{seed}", "--data", second, "--epochs", 20,
                           "--batch-size", 20, "--lr", rate, "--seed", seed, *start, *flags)
                     for seed in range(options.seeds)]
            print(f"| {rate} | {way} | {', '.join(f'{x:.1f}' for x in found)} % | {statistics.median(found):.1f} % |",
                  flush=True)


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit(f"fine_tuning.py: {failure}")
