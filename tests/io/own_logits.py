"""What the scripts beside this share: pictures, what `vitcl predict` makes of them, and how far others may differ."""
import json
import subprocess

import numpy
from PIL import Image

# Both sides compute in float32, whose rounding is 6e-8, and order their sums differently. A logit is the end of some
# hundred roundings of values of its size.
TOLERANCE = 1e-5


def write_pictures(folder, classes, side):
    """Colour noise: a picture of each class in folder/train and one in folder/val. Returns the latter."""
    random = numpy.random.default_rng(0)
    pictures = []
    for name in "train", "val":
        for label in range(classes):
            path = folder / name / str(label) / "picture.png"
            path.parent.mkdir(parents=True)
            Image.fromarray(random.integers(0, 256, (side, side, 3), dtype=numpy.uint8)).save(path)
            pictures.append(path)
    return pictures[classes:]


def run(vitcl, *arguments):
    """What the program prints."""
    return subprocess.run([vitcl, *arguments], check=True, stdout=subprocess.PIPE).stdout


def train(vitcl, data, output, *options):
    """A run of one step."""
    run(vitcl, "train", "--data", data, "--epochs", "1", "--output", output, "--quiet", *options)


def normalised(pictures, mean, deviation):
    """(pictures, 3, side, side) as a model wants them."""
    pixels = numpy.stack([numpy.asarray(Image.open(picture)) for picture in pictures]).astype(numpy.float32) / 255
    return ((pixels - numpy.float32(mean)) / numpy.float32(deviation)).transpose(0, 3, 1, 2)


def log_probabilities(vitcl, checkpoint, pictures):
    answer = json.loads(run(vitcl, "predict", checkpoint, *pictures, "--json", "--invert", "off", "--quiet"))
    return numpy.log([picture["probabilities"] for picture in answer])


def agree(what, logits, own):
    """Whether logits are those behind log-probabilities, up to the constant that softmax ignores."""
    logits = numpy.asarray(logits, dtype=numpy.float64)
    shifted = logits - logits.max(axis=1, keepdims=True)
    wanted = shifted - numpy.log(numpy.exp(shifted).sum(axis=1, keepdims=True))
    error = numpy.abs(wanted - own).max() / numpy.abs(logits).max()
    print(f"{what} and vitcl predict: largest difference {error:.1e} of the largest logit")
    return error < TOLERANCE
