#!/usr/bin/env python3
"""How the time of a training step grows with batch, depth, width and tokens, beside PyTorch's best mode.

  bench/compare.sh scaling --svg docs/scaling.svg        makes what is needed, and calls this

Everything that a sweep does not change is the article's model at batch 100. Prints a Markdown table and whether there is
a cliff: a size that takes more than 1.5 times what the line through its neighbours says, on logarithmic axes.
"""
import argparse
import json
import statistics
import sys
from math import exp, log
from pathlib import Path

import runs
from peers import HERE, MODES, Failure, Vitcl, best, race

CLIFF = 1.5
SECONDS = 0.5  # to time at a go, about

# Title of the axis, and for each size the options that make it.
SWEEPS = {
    "batch": ("images", {n: ["--batch", n] for n in (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)}),
    "depth": ("blocks", {n: ["--depth", n] for n in (1, 2, 3, 4, 6, 8, 10, 12)}),
    "dim": ("channels (the MLPs are twice as wide)",
            {n: ["--dim", n, "--mlp-dim", 2 * n] for n in (32, 64, 96, 128, 192, 256, 384, 512)}),
    "tokens": ("tokens (patches of 14, 7, 4, 2 pixels)",
               {(28 // p) ** 2 + 1: ["--patch-size", p] for p in (14, 7, 4, 2)}),
}


def on_line(x, x0, y0, x1, y1):
    """The value at x of the straight line through two points on logarithmic axes, which is a power of x."""
    return exp(log(y0) + (log(x) - log(x0)) / (log(x1) - log(x0)) * (log(y1) - log(y0)))


def cliffs(times):
    """Of a dict from size to time, the sizes far above the line through their neighbours: size to how many times."""
    points = sorted(times.items())
    found = {}
    for (x0, y0), (x, y), (x1, y1) in zip(points, points[1:], points[2:]):
        excess = y / on_line(x, x0, y0, x1, y1)
        if excess > CLIFF:
            found[x] = excess
    return found


def measure(sweep, options):
    """Rows of size, vitcl's and PyTorch's milliseconds, and PyTorch's best mode."""
    vitcl, rows = Vitcl(options.build, options.device), []
    for size, arguments in SWEEPS[sweep][1].items():
        once = vitcl.step("--steps", 2, *arguments)["ms_per_step"]
        steps = max(2, min(400, round(1e3 * SECONDS / once)))
        times, _ = race(vitcl, options.python, options.modes, options.rounds, arguments, steps)
        mode, theirs = best(times, "vitcl")
        rows.append((size, statistics.median(times["vitcl"]), theirs, mode))
        print(f"    {sweep} {size}: {rows[-1][1]:.2f} ms, PyTorch {theirs:.2f} ms ({mode})", file=sys.stderr)
    return rows


def report(results):
    """The table and the cliffs as Markdown."""
    lines = ["| | size | vitcl, ms | PyTorch, ms | PyTorch / vitcl | PyTorch's best mode |", "|---|---|---|---|---|---|"]
    for sweep, rows in results.items():
        lines += [f"| {sweep if at == 0 else ''} | {size} | {ours:.2f} | {theirs:.2f} | {theirs / ours:.2f} | {mode} |"
                  for at, (size, ours, theirs, mode) in enumerate(rows)]
    found = [f"{who} at {sweep} {size}: {excess:.1f} times the line through its neighbours"
             for sweep, rows in results.items() for column, who in ((1, "vitcl"), (2, "PyTorch"))
             for size, excess in cliffs({row[0]: row[column] for row in rows}).items()]
    return "\n".join([*lines, "", *(found or [f"No cliff: no size takes more than {CLIFF} times what its neighbours say."])])


def plot(results, path):
    pyplot = runs.pyplot()
    from matplotlib import ticker
    figure, panels = pyplot.subplots(2, 2, figsize=(9, 6))
    for panel, (sweep, rows) in zip(panels.flat, results.items()):
        sizes, ours, theirs, _ = zip(*rows)
        panel.plot(sizes, ours, "o-", markersize=4, label="vitcl")
        panel.plot(sizes, theirs, "o-", markersize=4, label="PyTorch, best mode")
        panel.set(xscale="log", yscale="log", title=f"ms a training step, by {sweep}", xlabel=SWEEPS[sweep][0])
        panel.set_xticks(sizes if len(sizes) < 10 else sizes[::2])
        panel.xaxis.set_minor_locator(ticker.NullLocator())
        panel.xaxis.set_major_formatter(ticker.ScalarFormatter())
        panel.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
        panel.yaxis.set_major_formatter(ticker.FormatStrFormatter("%g"))
        panel.yaxis.set_minor_formatter(ticker.NullFormatter())
        panel.grid(alpha=0.3)
        panel.legend()
    for panel in list(panels.flat)[len(results):]:
        panel.set_visible(False)
    runs.save(figure, path)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=HERE.parent / "build/release", help="folder of a release build")
    parser.add_argument("--python", default=sys.executable, help="a Python with torch")
    parser.add_argument("--device", default="auto", help="vitcl's device")
    parser.add_argument("--modes", type=lambda text: text.split(","), default=list(MODES), help="PyTorch's, by commas")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", action="append", choices=SWEEPS, help="a sweep; may be repeated")
    parser.add_argument("--svg", type=Path, help="draw the result into this file")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--from-json", type=Path, help="measure nothing: report what --json wrote")
    options = parser.parse_args()
    if options.from_json:
        results = json.loads(options.from_json.read_text())
    else:
        results = {sweep: measure(sweep, options) for sweep in options.only or SWEEPS}
    print(report(results))
    if options.json:
        options.json.write_text(json.dumps(results) + "\n")
    if options.svg:
        plot(results, options.svg)


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit(f"scaling.py: {failure}")
