"""Weights through vitcl between real packages: python3 pretrained_round_trip.py VITCL

Random models of timm, transformers and torchvision are exported by `vitcl export` to each of the three dialects; the
packages must compute the same logits from the result. vitcl itself, training on from each of the models, must begin with
the package's logits of the same pictures. Exit code 77 (skipped) where a package is missing.
"""
import json
import pathlib
import sys
import tempfile

try:
    import own_logits
    import timm
    import torch
    import torchvision
    import transformers
    from safetensors import safe_open
    from safetensors.torch import load_file, save_file
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

IMAGE, PATCH, DIM, DEPTH, HEADS, MLP, CLASSES = 12, 4, 24, 2, 3, 48, 5
EPSILON = 1e-6


def hugging_face_config():
    return transformers.ViTConfig(
        image_size=IMAGE, patch_size=PATCH, hidden_size=DIM, num_hidden_layers=DEPTH, num_attention_heads=HEADS,
        intermediate_size=MLP, num_labels=CLASSES, layer_norm_eps=EPSILON)


def make(dialect):
    if dialect == "timm":
        return timm.models.VisionTransformer(
            img_size=IMAGE, patch_size=PATCH, embed_dim=DIM, depth=DEPTH, num_heads=HEADS, mlp_ratio=MLP / DIM,
            num_classes=CLASSES)
    if dialect == "hf":
        return transformers.ViTForImageClassification(hugging_face_config())
    return torchvision.models.VisionTransformer(
        image_size=IMAGE, patch_size=PATCH, num_layers=DEPTH, num_heads=HEADS, hidden_dim=DIM, mlp_dim=MLP,
        num_classes=CLASSES)


def save(model, dialect, folder):
    if dialect == "hf":
        model.save_pretrained(folder, max_shard_size="20KB")
        index = folder / "model.safetensors.index.json"
        return index if index.exists() else folder / "model.safetensors"
    save_file(model.state_dict(), folder / "model.safetensors")
    return folder / "model.safetensors"


def load(dialect, file):
    if dialect == "hf":
        return transformers.ViTForImageClassification.from_pretrained(file.parent)
    model = make(dialect)
    model.load_state_dict(load_file(file))
    return model


def logits(model, images):
    with torch.no_grad():
        result = model.eval()(images)
    return getattr(result, "logits", result)


def make_random(dialect):
    model = make(dialect)
    for parameter in model.parameters():  # zeros and ones would hide what is lost or exchanged
        torch.nn.init.normal_(parameter, std=0.3)
    return model


def check(vitcl, source, target):
    with tempfile.TemporaryDirectory() as name:
        written, read = pathlib.Path(name, "written"), pathlib.Path(name, "read")
        written.mkdir()
        read.mkdir()
        model = make_random(source)
        output = read / "model.safetensors"
        own_logits.run(vitcl, "export", save(model, source, written), "--format", target, "--output", output,
                       "--heads", str(HEADS), "--quiet")
        images = torch.randn(4, 3, IMAGE, IMAGE)
        wanted, got = logits(model, images), logits(load(target, output), images)
        error = ((wanted - got).abs().max() / wanted.abs().max()).item()
        print(f"{source} to {target}: largest relative difference {error:.1e}")
        return error < own_logits.TOLERANCE


def check_own_logits(vitcl, source):
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        model = make_random(source)
        pictures = own_logits.write_pictures(folder / "data", CLASSES, IMAGE)
        own_logits.train(vitcl, folder / "data", folder / "run", "--initial-checkpoint", save(model, source, folder),
                         "--heads", str(HEADS))
        start = folder / "run" / "checkpoint-00000000.safetensors"
        with safe_open(start, "pt") as file:
            statistics = json.loads(file.metadata()["pixel_statistics"])
        images = torch.from_numpy(own_logits.normalised(pictures, **statistics))
        return own_logits.agree(source, logits(model, images), own_logits.log_probabilities(vitcl, start, pictures))


def main():
    torch.manual_seed(0)
    dialects = ["timm", "hf", "torchvision"]
    passed = [check(sys.argv[1], source, target) for source in dialects for target in dialects]
    passed += [check_own_logits(sys.argv[1], dialect) for dialect in dialects]
    sys.exit(0 if all(passed) else 1)


if __name__ == "__main__":
    main()
