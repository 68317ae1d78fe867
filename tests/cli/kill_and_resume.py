#!/usr/bin/env python3
"""Kills training runs at random moments, resumes them, and compares what they end with.

    tests/cli/kill_and_resume.py build/vitcl --runs 200

Trains one small run undisturbed. Then, for each of --runs: trains the same, ends the process with SIGKILL after a random
time or in the middle of saving, goes on with `vitcl train --resume`, which may be killed again, until a process
finishes. At the end the last and the best checkpoint must equal the undisturbed run's byte for byte, and metrics.jsonl
must hold the same steps with the same losses. Exits with 1 where one run differs; its folder is kept.
"""
import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

RUN = ("--data digits --train-samples 84 --test-samples 20 --batch-size 8 --patch-size 14 --dim 8 --depth 1 --heads 2 "
       "--mlp-dim 8 --epochs 4 --checkpoint-every 3 --checkpoint-hist 3 --quiet --opt adamw --sched cosine --model-ema "
       "--model-ema-decay 0.9 --degrees 10 --mixup 0.5 --drop 0.1 --attn-drop 0.1 --drop-path 0.1").split()
CHECKPOINTS = ["checkpoint-last.safetensors", "checkpoint-best.safetensors"]
MOST_KILLS = 3  # of one run


def start(program: str, arguments: list[str], log: Path) -> subprocess.Popen:
    with open(log, "ab") as output:
        return subprocess.Popen([program, "train", *arguments], stdout=output, stderr=output)


def partial_files(folder: Path) -> list[Path]:
    return list(folder.glob(".*.partial")) if folder.exists() else []


def kill_after(process: subprocess.Popen, seconds: float):
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()


def kill_while_saving(process: subprocess.Popen, folder: Path, saves: int):
    """Kills in the middle of writing a file, once so many were seen being written."""
    saved, last = 0, set()
    while process.poll() is None:
        current = {file.name for file in partial_files(folder)}
        saved += len(current - last)
        last = current
        if current and saved >= saves:
            process.kill()
            return


def steps(folder: Path) -> list[tuple]:
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [(line["step"], line["train_loss"]) if line["type"] == "step" else (line["epoch"], line["test_loss"])
            for line in lines]


def moment(folder: Path, before: set[str]) -> str:
    """What a killed process was doing, from what it left."""
    if not (folder / "config.toml").exists():
        return "before the run folder was complete"
    if any(file.name not in before for file in partial_files(folder)):
        return "while it saved"
    return "while it trained"


def disturbed_run(program: str, folder: Path, longest: float, chance: random.Random, killed: Counter) -> None:
    """A run that is killed up to MOST_KILLS times; each kill is counted under what it hit."""
    log = folder.with_suffix(".log")
    for kills in range(MOST_KILLS + 1):
        begun = (folder / "config.toml").exists()
        arguments = ["--resume", str(folder)] if begun else [*RUN, "--overwrite", "--output", str(folder)]
        before = {file.name for file in partial_files(folder)} if begun else set()
        process = start(program, arguments, log)
        if kills == MOST_KILLS or (kills > 0 and chance.random() < 0.3):
            process.wait()
        elif chance.random() < 0.5:
            kill_while_saving(process, folder, chance.randint(1, 12))
        else:
            kill_after(process, chance.uniform(0, longest))
        code = process.wait()
        if code == 0:
            return
        if code != -9:
            raise RuntimeError(f"a process ended with {code}; see {log}")
        killed[moment(folder, before)] += 1


def differences(folder: Path, wanted: Path) -> list[str]:
    wrong = [name for name in CHECKPOINTS if (folder / name).read_bytes() != (wanted / name).read_bytes()]
    if steps(folder) != steps(wanted):
        wrong.append("metrics.jsonl")
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", help="the vitcl to test")
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    options = parser.parse_args()
    work = Path(tempfile.mkdtemp(prefix="vitcl-kill-"))
    whole = work / "whole"
    for attempt in ["first", "whole"]:  # the first fills the caches of compiled programs
        begin = time.monotonic()
        code = start(options.program, [*RUN, "--output", str(work / attempt)], work / "whole.log").wait()
        if code == 4:
            print("no OpenCL device; install pocl-opencl-icd")
            return 77
        if code != 0:
            sys.exit(f"the undisturbed run failed; see {work / 'whole.log'}")
        longest = time.monotonic() - begin
    chance, killed, equal = random.Random(options.seed), Counter(), 0
    for number in range(options.runs):
        folder = work / f"run-{number}"
        disturbed_run(options.program, folder, longest, chance, killed)
        if wrong := differences(folder, whole):
            print(f"run {number} differs in {', '.join(wrong)}: {folder}", flush=True)
            continue
        equal += 1
        shutil.rmtree(folder)
    moments = ", ".join(f"{count} {what}" for what, count in sorted(killed.items()))
    print(f"{equal} of {options.runs} runs equal the undisturbed one; {sum(killed.values())} kills: {moments}")
    if equal == options.runs:
        shutil.rmtree(work)
    return 0 if equal == options.runs else 1


if __name__ == "__main__":
    os.environ.pop("VITCL_IMPL", None)
    sys.exit(main())
