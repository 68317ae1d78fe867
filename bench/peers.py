"""Starts vitcl's benchmarks and those of the others, and takes turns between them."""
import contextlib
import json
import os
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
MODES = ("eager-fused", "eager-sdpa-fused", "compile-fused")
# Freed memory stays mapped: PyTorch is up to a third slower without; vitcl allocates nothing while it trains.
KEEP_MEMORY = {"MALLOC_MMAP_THRESHOLD_": "268435456", "MALLOC_TRIM_THRESHOLD_": "4294967296"}
FAR_BEHIND = 1.25


class Failure(Exception):
    """A program that could not measure; the text is what it said."""


def peer_environment(**more):
    """A BLAS told to use another processor's kernels would not be a fair opponent."""
    return {k: v for k, v in os.environ.items() if k != "OPENBLAS_CORETYPE"} | more


def run_json(command, **environment):
    """What a program prints last, as JSON."""
    command = [str(word) for word in command]
    try:
        done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True)
    except OSError as error:
        raise Failure(f"{command[0]}: {error.strerror}") from error
    if done.returncode:
        raise Failure(complaint(done.stderr) or f"{command[0]} ended with {done.returncode}")
    return json.loads(done.stdout)


def complaint(text):
    """The line of stderr that says what is wrong: vitcl's own, else the last."""
    lines = text.strip().splitlines()
    return next((line for line in lines if line.startswith("vitcl")), lines[-1] if lines else "")


class Vitcl:
    """vitcl's benchmarks in a build folder, on one device."""

    def __init__(self, build, device):
        self.build, self.device = Path(build), device

    def step(self, *arguments, device=None, **environment):
        """One measurement by vitcl_train_bench, a process of its own."""
        program = self.build / "bench/vitcl_train_bench"
        return run_json([program, "--device", device or self.device, "--repeats", 1, *arguments], **environment)

    def products(self, names):
        """GFLOP/s of matrix products by their names."""
        pattern = f"^gemm/({'|'.join(names)})/"
        report = run_json([self.build / "bench/vitcl_op_bench", "--device", self.device, "--benchmark_format=json",
                           "--benchmark_min_time=0.1", f"--benchmark_filter={pattern}"])
        return products_of(report)


def products_of(report):
    """Name to GFLOP/s, of Google Benchmark's JSON."""
    found = {}
    for row in report["benchmarks"]:
        name = re.match(r"gemm/(\w+/[\dx]+)/", row["name"]).group(1)
        if row.get("error_occurred"):
            raise Failure(f"{name}: {row['error_message']}")
        found[name] = row["GFLOP/s"]
    return found


class Peer:
    """A program that answers a line of JSON with a line of JSON, and keeps what it has compiled."""

    def __init__(self, python, script, *arguments, **environment):
        words = [python, HERE / script, "--serve", *arguments]
        self.process = subprocess.Popen([str(word) for word in words], env=peer_environment(**environment), text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(BrokenPipeError):  # it has ended by itself, its last request unread
            self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()

    def ask(self, **request):
        try:
            print(json.dumps(request), file=self.process.stdin, flush=True)
            answer = json.loads(self.process.stdout.readline())
        except (BrokenPipeError, json.JSONDecodeError) as error:
            raise Failure(f"{Path(self.process.args[1]).name} ended early; run it by hand to see why") from error
        if "error" in answer:
            raise Failure(answer["error"])
        return answer


def race(vitcl, python, modes, rounds, size, steps, work="train", extra=(), device=None):
    """Milliseconds a step of vitcl and of PyTorch's modes on a model of one size, in turns; and vitcl's reports."""
    reports = []

    def ours():
        reports.append(vitcl.step(*size, "--steps", steps, *extra, device=device))
        report = reports[-1]
        return report["ms_per_step"] if work == "train" else 1e3 * report["batch"] / report["inference_images_per_second"]

    def theirs(mode):
        answer = peer.ask(mode=mode, work=work, steps=steps)
        if answer["parameters"] != reports[0]["parameters"]:
            raise Failure(f"it has {answer['parameters']} parameters, vitcl {reports[0]['parameters']}")
        return answer["ms_per_step"]

    with Peer(python, "pytorch_vit.py", *size, **KEEP_MEMORY) as peer:
        times = alternate(rounds, {"vitcl": ours} | {mode: lambda mode=mode: theirs(mode) for mode in modes})
    return times, reports


def alternate(rounds, measures):
    """Calls every measure once a round, in turn; name to list of results. Alternating spreads over all of them what else
    the machine does. One that fails is told and left out, unless it is the first, vitcl's own; one that takes far longer
    than the best other in the first round is not repeated."""
    results, first = {}, next(iter(measures))
    active = dict(measures)
    for turn in range(rounds):
        for name, measure in list(active.items()):
            try:
                results.setdefault(name, []).append(measure())
            except Failure as failure:
                if name == first:
                    raise
                print(f"    {name} is left out: {failure}", file=sys.stderr)
                del active[name]
                results.pop(name, None)
        if turn == 0:
            active = {name: active[name] for name in worth_repeating(results, first)}
    return results


def worth_repeating(results, first):
    """The first and those others that are not far behind the best of them. Results that are no numbers all stay."""
    times = {name: values[0] for name, values in results.items() if name != first}
    if not all(isinstance(taken, (int, float)) for taken in times.values()):
        return list(results)
    return [first] + [name for name, taken in times.items() if taken <= FAR_BEHIND * min(times.values())]


def others_share(seconds=2):
    """The share of the processors' time that programs use now; 0 where the system does not tell."""
    def ticks():
        try:
            counts = [int(word) for word in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
        except (OSError, ValueError):
            return 0, 0
        return sum(counts), counts[3] + counts[4]  # idle, and waiting for a disk

    (total, idle), _, (later_total, later_idle) = ticks(), time.sleep(seconds), ticks()
    return 1 - (later_idle - idle) / (later_total - total) if later_total > total else 0.0


def best(results, first):
    """The name and median of the fastest but the first."""
    medians = {name: statistics.median(values) for name, values in results.items() if name != first}
    if not medians:
        raise Failure("no opponent could be measured")
    return min(medians.items(), key=lambda item: item[1])
