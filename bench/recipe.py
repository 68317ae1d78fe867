#!/usr/bin/env python3
"""What --recipe best reaches: trains it on each data set with each seed, and reports the test accuracy at the end.

  bench/recipe.py --runs runs                                   six runs; after an interruption the same command goes on
  bench/recipe.py --runs trial --seeds 0 -- --val-split 0.1 --dim 96     other settings, on a part of the training images

The accuracy is that after the last epoch, not the best of all. Prints a Markdown table.
"""
import argparse
import statistics
import sys
from pathlib import Path

import runs
from peers import HERE, Failure

GOALS = {"mnist": 0.98, "fashion-mnist": 0.9}  # accuracies to which the time is told


def train(options, data, seed, folder):
    """Trains, or goes on where a run was stopped."""
    if (folder / "checkpoint-last.safetensors").exists():
        what = ["--resume", folder, "--device", options.device]
    else:
        what = ["--recipe", "best", "--data", data, "--seed", seed, "--device", options.device, "--output", folder,
                *(["--data-dir", options.data_dir] if options.data_dir else []), *options.flags]
    try:
        runs.train(options.build, *what)
    except Failure as failure:
        raise Failure(f"{folder}: {failure}; the same command goes on from there") from failure


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
    for data, seeds in results.items():
        accuracies = [100 * rows[-1]["test_accuracy"] for rows in seeds]
        times = [seconds_to(rows, GOALS[data]) for rows in seeds]
        took = f"{statistics.median(times):.0f} s" if None not in times else "-"
        lines.append(f"| {data} | {len(seeds[0])} | {', '.join(f'{a:.2f}' for a in accuracies)} % | "
                     f"{statistics.median(accuracies):.2f} % | "
                     f"{statistics.median(seconds(row) for rows in seeds for row in rows):.1f} s | "
                     f"{100 * GOALS[data]:g} % | {took} |")
    return "\n".join(lines)


def plot(results, path):
    figure, panels = runs.pyplot().subplots(1, len(results), figsize=(4.5 * len(results), 3.5), squeeze=False)
    for panel, (data, seeds) in zip(panels.flat, results.items()):
        for seed, rows in enumerate(seeds):
            minutes = [sum(map(seconds, rows[:i + 1])) / 60 for i in range(len(rows))]
            panel.plot(minutes, [100 * row["test_accuracy"] for row in rows], label=f"seed {seed}")
        lowest = min(100 * rows[len(rows) // 6]["test_accuracy"] for rows in seeds)
        panel.set(title=data, xlabel="minutes", ylabel="test accuracy, %", ylim=(lowest, None))
        panel.grid(alpha=0.3)
        panel.legend()
    runs.save(figure, path)


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
            results.setdefault(data, []).append(runs.rows(folder, "epoch"))
    print(report(results))
    if options.svg:
        plot(results, options.svg)


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit(f"recipe.py: {failure}")
