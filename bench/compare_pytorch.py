#!/usr/bin/env python3
"""Times vitcl and PyTorch, one after the other and again, on the same machine, and prints medians and ratios.

  cmake --preset release && cmake --build --preset release --target vitcl_train_bench
  python3 -m venv venv && venv/bin/pip install torch
  bench/compare_pytorch.py --python venv/bin/python

Alternating spreads what else the machine does over both, but the machine has to be idle all the same: PyTorch's threads
spin between operations, and lose out of all proportion where other programs want the cores. PyTorch gets the allocator settings that keep freed memory
mapped (it is up to a third slower without); vitcl allocates nothing while it trains.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
KEEP_MEMORY = {"MALLOC_MMAP_THRESHOLD_": "268435456", "MALLOC_TRIM_THRESHOLD_": "4294967296"}
FIGURES = {"ms_per_step": "ms/step", "images_per_second": "images/s", "inference_images_per_second": "inference images/s"}


def measure(command, environment):
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\nfailed with exit code {done.returncode}:\n{done.stderr}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=str(HERE.parent / "build/release/bench/vitcl_train_bench"))
    parser.add_argument("--python", default=sys.executable, help="a Python that has torch")
    parser.add_argument("--device", default="auto", help="vitcl's device")
    parser.add_argument("--modes", default="eager,eager-fused", help="PyTorch's modes")
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--repeats", type=int, default=3, help="within a round")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()

    amount = ["--batch", str(options.batch), "--steps", str(options.steps), "--repeats", str(options.repeats)]
    runs = {"vitcl": ([options.program, "--device", options.device, *amount], dict(os.environ))}
    # A BLAS told to use another processor's kernels would not be a fair opponent.
    torch_environment = {k: v for k, v in os.environ.items() if k != "OPENBLAS_CORETYPE"} | KEEP_MEMORY
    for mode in options.modes.split(","):
        runs[f"pytorch {mode}"] = ([options.python, str(HERE / "pytorch_vit.py"), "--mode", mode, *amount], torch_environment)

    results = {name: [] for name in runs}
    for turn in range(options.rounds):
        for name, (command, environment) in runs.items():
            results[name].append(measure(command, environment))
            print(f"round {turn + 1}: {name}: {results[name][-1]['ms_per_step']:.2f} ms/step", file=sys.stderr)

    print(f"\nbatch {options.batch}, {results['vitcl'][0]['parameters']} parameters, {os.cpu_count()} cores, "
          f"vitcl on {results['vitcl'][0]['device']}; medians of {options.rounds} alternating rounds")
    print(f"{'':<22}" + "".join(f"{title:>22}" for title in FIGURES.values()) + f"{'step time / vitcl':>22}")
    medians = {name: {key: statistics.median(r[key] for r in rows) for key in FIGURES} for name, rows in results.items()}
    for name, row in medians.items():
        ratio = row["ms_per_step"] / medians["vitcl"]["ms_per_step"]
        print(f"{name:<22}" + "".join(f"{row[key]:>22.2f}" for key in FIGURES) + f"{ratio:>22.2f}")


if __name__ == "__main__":
    main()
