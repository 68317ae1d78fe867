"""`vitcl export --format onnx` against `vitcl predict`: python3 onnx_export.py VITCL

Small models with each of the model's options are trained for a step and exported; the files must pass ONNX's checker and
give the same logits in onnxruntime, for any batch. Exit code 77 (skipped) where a package is missing.
"""
import json
import pathlib
import sys
import tempfile

try:
    import numpy
    import onnx
    import onnxruntime
    import own_logits
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

CLASSES, SIDE = 3, 12
SMALL = f"--image-size {SIDE} --patch-size 4 --dim 24 --depth 2 --heads 3 --mlp-dim 40"
VARIANTS = {
    "article": "",
    "timm": "--head linear --attention-scale head_dim --qkv-bias on --final-norm on --norm-epsilon 1e-6",
    "mean": "--pool mean --head linear --pooled-norm on --position sincos",
    "mean with a class token": "--pool mean --class-token on --final-norm on",
    "padded": "--patch-size 5",
    "convolutions": "--stem convolutions",
    "convolutions of an odd side": "--stem convolutions --patch-size 8 --stem-channels 5 --stem-depth 2",
    "masked": "--patch-mask 101110011",
    "masked mean": "--pool mean --patch-mask 101110011",
    "average": "--model-ema on --model-ema-decay 0.5 --lr 0.1",
}


def check(vitcl, folder, pictures, name, options):
    run, file = folder / name, folder / f"{name}.onnx"
    own_logits.train(vitcl, folder / "data", run, *f"{SMALL} {options}".split())
    checkpoint = run / "checkpoint-last.safetensors"
    own_logits.run(vitcl, "export", checkpoint, "--format", "onnx", "--output", file, "--quiet")
    model = onnx.load(file)
    onnx.checker.check_model(model, full_check=True)
    metadata = {entry.key: json.loads(entry.value) for entry in model.metadata_props}
    assert metadata["class_names"] == [str(label) for label in range(CLASSES)]
    images = own_logits.normalised(pictures, metadata["mean"], metadata["deviation"])
    session = onnxruntime.InferenceSession(file)
    together = session.run(["logits"], {"images": images})[0]
    alone = numpy.concatenate([session.run(["logits"], {"images": image[None]})[0] for image in images])
    assert numpy.abs(together - alone).max() < own_logits.TOLERANCE * numpy.abs(together).max()
    return own_logits.agree(f"onnxruntime ({name})", together, own_logits.log_probabilities(vitcl, checkpoint, pictures))


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        pictures = own_logits.write_pictures(folder / "data", CLASSES, SIDE)
        passed = [check(sys.argv[1], folder, pictures, *variant) for variant in VARIANTS.items()]
    sys.exit(0 if all(passed) else 1)


if __name__ == "__main__":
    main()
