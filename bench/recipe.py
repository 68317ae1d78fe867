#!/usr/bin/env python3
"""What --recipe best reaches: trains it on each data set with each seed, and reports the test accuracy at the end.

  bench/recipe.py --runs runs                                   six runs; after an interruption the same command goes on
  bench/recipe.py --runs trial --seeds 0 -- --val-split 0.1 --dim 96     other settings, on a part of the training images

The accuracy is that after the last epoch, not the best of all. Prints a Markdown table.
"""
import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
GOALS = {"mnist": 0.98, "fashion-mnist": 0.9}  # accuracies to which the time is told


class Failure(Exception):
    pass


def train(options, data, seed, folder):
    """Trains, or goes on where a run was stopped."""
    if (folder / "checkpoint-last.safetensors").exists():
        what = ["--resume", folder, "--device", options.device]
    else:
        what = ["--recipe", "best", "--data", data, "--seed", seed, "--device", options.device, "--output", folder,
                *(["--data-dir", options.data_dir] if options.data_dir else []), *options.flags]
    program = options.build / "vitcl"
    try:
        done = subprocess.run([str(part) for part in [program, "train", *what]], stdout=subprocess.DEVNULL)
    except OSError as error:
        raise Failure(f"{program} does not run: {error.strerror}") from error
    if done.returncode:
        raise Failure(f"vitcl train ended with {done.returncode} in {folder}; the same command goes on from there")


def epochs(folder):
    """The rows of a run's epochs, in their order; of one that was done twice the later."""
    rows = map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
    return [row for _, row in sorted({row["epoch"]: row for row in rows if row["type"] == "epoch"}.items())]


def seconds(row):
    return row["train_seconds"] + row["test_seconds"]


def seconds_to(rows, accuracy):
    """Until an epoch ended with this accuracy, evaluations included; None where none did."""
    spent = 0
    for row in rows:
        spent += seconds(row)
        if row["test_accuracy"] >= accuracy:
            return spent
    return None


def report(results):
    """A Markdown table of {data: [rows of each seed's run]}."""
    lines = ["| data | epochs | test accuracy, each seed | median | an epoch | to | took |",
             "|---|---|---|---|---|---|---|"]
    for data, runs in results.items():
        accuracies = [100 * rows[-1]["test_accuracy"] for rows in runs]
        times = [seconds_to(rows, GOALS[data]) for rows in runs]
        took = f"{statistics.median(times):.0f} s" if None not in times else "-"
        lines.append(f"| {data} | {len(runs[0])} | {', '.join(f'{a:.2f}' for a in accuracies)} % | "
                     f"{statistics.median(accuracies):.2f} % | "
                     f"{statistics.median(seconds(row) for rows in runs for row in rows):.1f} s | "
                     f"{100 * GOALS[data]:g} % | {took} |")
    return "\n".join(lines)


def plot(results, path):
    import matplotlib
    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "vitcl"  # the same picture for the same figures
    from matplotlib import pyplot
    figure, panels = pyplot.subplots(1, len(results), figsize=(4.5 * len(results), 3.5), squeeze=False)
    for panel, (data, runs) in zip(panels.flat, results.items()):
        for seed, rows in enumerate(runs):
            minutes = [sum(map(seconds, rows[:i + 1])) / 60 for i in range(len(rows))]
            panel.plot(minutes, [100 * row["test_accuracy"] for row in rows], label=f"seed {seed}")
        lowest = min(100 * rows[len(rows) // 6]["test_accuracy"] for rows in runs)
        panel.set(title=data, xlabel="minutes", ylabel="test accuracy, %", ylim=(lowest, None))
        panel.grid(alpha=0.3)
        panel.legend()
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None} if str(path).endswith(".svg") else None)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, default=HERE.parent / "build/release", help="folder of a release build")
    parser.add_argument("--device", default="auto", help="vitcl's device")
    parser.add_argument("--runs", type=Path, required=True, help="folder for the runs; those in it go on")
    parser.add_argument("--data", action="append", choices=GOALS, help="may be repeated; both where not given")
    parser.add_argument("--data-dir", help="folder with the data files")
    parser.add_argument("--seeds", type=lambda text: [int(part) for part in text.split(",")], default=[0, 1, 2])
    parser.add_argument("--svg", type=Path, help="draw accuracy over time into this file; needs matplotlib")
    parser.add_argument("flags", nargs="*", help="behind --: more flags for vitcl train")
    options = parser.parse_args()
    results = {}
    for data in options.data or GOALS:
        for seed in options.seeds:
            folder = options.runs / f"{data}-{seed}"
            train(options, data, seed, folder)
            results.setdefault(data, []).append(epochs(folder))
    print(report(results))
    if options.svg:
        plot(results, options.svg)


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit(f"recipe.py: {failure}")
