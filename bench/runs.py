"""Runs of `vitcl train` and what they left, and pictures of it, for the programs beside this file."""
import json
import subprocess
from pathlib import Path

from peers import Failure


def train(build, *arguments):
    """Runs the `vitcl` of a build folder; its words go where this program's errors go."""
    program = Path(build) / "vitcl"
    try:
        done = subprocess.run([str(word) for word in (program, "train", *arguments)], stdout=subprocess.DEVNULL)
    except OSError as error:
        raise Failure(f"{program} does not run: {error.strerror}") from error
    if done.returncode:
        raise Failure(f"vitcl train ended with {done.returncode}")


def rows(folder, kind):
    """A run's rows of metrics about each "epoch" or "step", in their order; of one that was done twice the later."""
    every = map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
    return [row for _, row in sorted({row[kind]: row for row in every if row["type"] == kind}.items())]


def pyplot():
    """matplotlib's, to draw into files: the same picture for the same figures."""
    import matplotlib
    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "vitcl"
    from matplotlib import pyplot
    return pyplot


def save(figure, path):
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None} if str(path).endswith(".svg") else None)
