#!/usr/bin/env python3
"""Measures vitcl beside PyTorch and tinygrad on this machine and prints the targets (targets.py) with what was reached.

bench/compare.sh makes what this needs and calls it. Each row alternates between vitcl and the others, round by round,
and takes medians. The machine should do nothing else meanwhile: PyTorch's threads spin between operations, and lose out
of all proportion where other programs want the cores.
"""
import argparse
import datetime
import json
import os
import platform
import statistics
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from peers import HERE, KEEP_MEMORY, MODES, Failure, Peer, Vitcl, alternate, best, others_share, race, run_json
from targets import TARGETS

FORMS = ("nt", "nn", "tn")
PRODUCTS = {
    "gemm-article": ("1700x64x192", "1700x64x64", "1700x64x128", "1700x128x64"),
    "gemm-square": ("1024x1024x1024",),
    "gemm-small": ("1576x384x384", "1576x384x1152", "1576x384x1536", "1576x1536x384"),
}
# Where drivers and vitcl keep what they have compiled.
CACHES = ("POCL_CACHE_DIR", "VITCL_CACHE_DIR", "XDG_CACHE_HOME", "CUDA_CACHE_PATH")
# The share of the processors' time from which on other programs disturb.
BUSY = 0.05


@dataclass
class Outcome:
    ours: str
    theirs: str
    score: float
    figures: dict = field(default_factory=dict)


class Comparison:
    def __init__(self, options):
        self.options = options
        self.vitcl = Vitcl(options.build, options.device)

    def against_pytorch(self, model, batch, steps, **more):
        options = self.options
        return race(self.vitcl, options.python, options.modes, options.rounds, ["--model", model, "--batch", batch], steps,
                    **more)

    def step(self, model, batch, steps, **more):
        times, reports = self.against_pytorch(model, batch, steps, **more)
        mode, theirs = best(times, "vitcl")
        ours = statistics.median(times["vitcl"])
        return Outcome(f"{ours:.2f} ms", f"{theirs:.2f} ms, PyTorch {mode}", theirs / ours,
                       {"ms": times, "device": reports[0]["device"]})

    def inference(self):
        batch = 1000
        times, _ = self.against_pytorch("article", batch, 4, work="infer")
        mode, theirs = best(times, "vitcl")
        ours = statistics.median(times["vitcl"])
        rate = lambda ms: f"{1e3 * batch / ms:,.0f} images/s"
        return Outcome(rate(ours), f"{rate(theirs)}, PyTorch {mode}", theirs / ours, {"ms": times})

    def peak(self):
        """The peak is the best of all rounds, as a limit has to be; both programs' work is what vitcl counts."""
        times, reports = self.against_pytorch("article", 100, 40, extra=["--peak"])
        peak = max(report["peak_gflop_per_second"] for report in reports)
        share = lambda ms: 1e3 * reports[0]["gflop_per_step"] / ms / peak
        mode, theirs = best(times, "vitcl")
        ours = statistics.median(times["vitcl"])
        idle = statistics.median(report["cpu_idle_share"] for report in reports)
        executed = self.vitcl.step("--steps", 5, "--profile")["executed_gflop_per_step"]
        figures = {"ms": times, "peak_gflops": peak, "counted_gflop": reports[0]["gflop_per_step"],
                   "executed_gflop": executed, "idle_share": idle}
        return Outcome(f"{share(ours):.0%} of {peak:.0f} GFLOP/s, cores {idle:.0%} idle; "
                       f"{figures['counted_gflop']:.2f} GFLOP counted, {executed:.2f} executed",
                       f"{share(theirs):.0%}, PyTorch {mode}", share(ours), figures)

    def gemm(self, shapes):
        """The geometric mean over the products; the slowest is named."""
        names = [f"{form}/{shape}" for shape in shapes for form in FORMS]
        with Peer(self.options.python, "pytorch_vit.py", **KEEP_MEMORY) as peer:
            rounds = alternate(self.options.rounds, {
                "vitcl": lambda: self.vitcl.products(names),
                "PyTorch": lambda: {name: peer.ask(gemm=name)["gflops"] for name in names}})
        if "PyTorch" not in rounds:
            raise Failure("PyTorch's products could not be measured")
        medians = {who: {name: statistics.median(turn[name] for turn in turns) for name in names}
                   for who, turns in rounds.items()}
        ratios = {name: medians["vitcl"][name] / medians["PyTorch"][name] for name in names}
        worst = min(ratios, key=ratios.get)
        mean = {who: statistics.geometric_mean(values.values()) for who, values in medians.items()}
        return Outcome(f"{mean['vitcl']:.0f} GFLOP/s",
                       f"{mean['PyTorch']:.0f} GFLOP/s, PyTorch; least {ratios[worst]:.2f}x at {worst}",
                       statistics.geometric_mean(ratios.values()), {"gflops": medians, "ratios": ratios})

    def tinygrad(self):
        with Peer(self.options.python, "tinygrad_vit.py") as peer:
            times = alternate(self.options.rounds, {
                "vitcl": lambda: self.vitcl.step("--steps", 40)["ms_per_step"],
                "tinygrad": lambda: peer.ask(steps=3)["ms_per_step"]})
        _, theirs = best(times, "vitcl")
        ours = statistics.median(times["vitcl"])
        return Outcome(f"{ours:.2f} ms", f"{theirs:.0f} ms", theirs / ours, {"ms": times})

    def first_step(self, cached):
        """From the start of the process to the end of the first training step."""
        seconds = []
        for _ in range(self.options.rounds):
            with tempfile.TemporaryDirectory() as folder:
                caches = dict.fromkeys(CACHES, folder)
                for _ in range(2 if cached else 1):
                    report = self.vitcl.step("--steps", 1, **caches)
            seconds.append(report["first_step_seconds"])
        middle = statistics.median(seconds)
        return Outcome(f"{middle:.2f} s", "-", middle, {"seconds": seconds})

    def memory(self):
        """Of fresh processes, with the allocator as it comes, which gives memory back."""
        ours = self.vitcl.step("--steps", 5)
        script = [self.options.python, HERE / "pytorch_vit.py", "--steps", 5, "--repeats", 1, "--mode"]
        modes = [mode for mode in self.options.modes if not mode.startswith("compile")]  # compiling itself takes more
        growth = {mode: run_json([*script, mode])["resident_growth_bytes"] for mode in modes}
        mode, theirs = min(growth.items(), key=lambda item: item[1])
        return Outcome(f"{ours['planned_bytes'] / 1e6:.0f} MB, grown by {ours['resident_growth_bytes'] / 1e6:.0f} MB",
                       f"{theirs / 1e6:.0f} MB, PyTorch {mode}", theirs / ours["planned_bytes"],
                       {"vitcl": ours, "pytorch": growth})

    def rows(self):
        """What measures each target."""
        return {
            "step-100": lambda: self.step("article", 100, 40),
            "step-512": lambda: self.step("article", 512, 8),
            "step-1": lambda: self.step("article", 1, 400),
            "step-16": lambda: self.step("article", 16, 100),
            "inference": self.inference,
            "peak": self.peak,
            "tiny": lambda: self.step("tiny", 16, 2),
            "small": lambda: self.step("small", 8, 2),
            **{name: lambda shapes=shapes: self.gemm(shapes) for name, shapes in PRODUCTS.items()},
            "intel": lambda: self.step("article", 100, 40, device="intel"),
            "tinygrad": self.tinygrad,
            "cold": lambda: self.first_step(cached=False),
            "warm": lambda: self.first_step(cached=True),
            "memory": self.memory,
        }


def measured(name, measure):
    """A line of the table, and its figures; a row that can't be measured here says why."""
    target = TARGETS[name]
    try:
        outcome = measure()
    except Failure as failure:
        limits = [target.text(target.target), target.text(target.stretch)]
        return [target.work, f"not measured: {failure}", "", "", *limits, ""], {"failure": str(failure)}
    line = [target.work, outcome.ours, outcome.theirs, target.text(outcome.score), target.text(target.target),
            target.text(target.stretch), target.verdict(outcome.score)]
    return line, {"score": outcome.score, "verdict": target.verdict(outcome.score), **outcome.figures}


HEAD = ["work", "vitcl", "opponent", "reached", "target", "stretch", ""]


def table(lines):
    """Markdown, padded so that it can be read as it is."""
    rows = [HEAD, *lines]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    written = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |" for row in rows]
    return "\n".join([written[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *written[1:]])


def processor():
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def versions(python):
    script = "import importlib.metadata as m, json\nprint(json.dumps({n: m.version(n) for n in ('torch', 'tinygrad')}))"
    return run_json([python, "-c", script])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=HERE.parent / "build/release", help="folder of a release build")
    parser.add_argument("--python", default=sys.executable, help="a Python with torch and tinygrad")
    parser.add_argument("--device", default="auto", help="vitcl's device")
    parser.add_argument("--modes", type=lambda text: text.split(","), default=list(MODES), help="PyTorch's, by commas")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", action="append", choices=TARGETS, help="a row; may be repeated")
    parser.add_argument("--json", type=Path, help="write every figure of every round to this file")
    options = parser.parse_args()
    comparison = Comparison(options)
    rows = comparison.rows()
    report = {"date": datetime.date.today().isoformat(), "processor": processor(), "cores": os.cpu_count(),
              "device": options.device, "rounds": options.rounds, "others": others_share(), **versions(options.python), "rows": {}}
    lines = []
    for name in options.only or TARGETS:
        print(f"==> {name}", file=sys.stderr)
        line, report["rows"][name] = measured(name, rows[name])
        print("    " + "  ".join(line[1:4]), file=sys.stderr)
        lines.append(line)
    print(f"{report['processor']}, {report['cores']} cores; PyTorch {report['torch']}, tinygrad {report['tinygrad']}; "
          f"medians of {options.rounds} alternating rounds; {report['date']}\n")
    if report["others"] > BUSY:
        print(f"Other programs used {report['others']:.0%} of the processors at the start: the figures mean little.\n")
    print(table(lines))
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit(f"compare.py: {failure}")
