"""What a Vision Transformer is made of, under the names of vitcl's options; the programs beside this file share it."""
import argparse
import dataclasses
from dataclasses import dataclass

# The fields that a command line may change; the others come with the preset.
SIZES = ("image_size", "patch_size", "dim", "depth", "heads", "mlp_dim")


@dataclass(frozen=True)
class ViT:
    """The defaults are the article's model."""
    image_size: int = 28
    patch_size: int = 7
    channels: int = 1
    classes: int = 10
    dim: int = 64
    depth: int = 6
    heads: int = 8
    mlp_dim: int = 128
    mlp_head: bool = True
    scale_by_head: bool = False
    qkv_bias: bool = False
    final_norm: bool = False
    norm_epsilon: float = 1e-5

    @property
    def grid(self) -> int:
        return self.image_size // self.patch_size

    @property
    def tokens(self) -> int:
        return self.grid**2 + 1

    @property
    def attention_scale(self) -> float:
        return (self.dim // self.heads if self.scale_by_head else self.dim) ** -0.5


def _imagenet(dim: int, heads: int) -> ViT:
    """timm's vit_*_patch16_224."""
    return ViT(224, 16, 3, 1000, dim, 12, heads, 4 * dim, False, True, True, True, 1e-6)


PRESETS = {"article": ViT(), "tiny": _imagenet(192, 3), "small": _imagenet(384, 6), "base": _imagenet(768, 12)}


def add_options(parser: argparse.ArgumentParser):
    parser.add_argument("--model", choices=PRESETS, default="article")
    for name in SIZES:
        parser.add_argument("--" + name.replace("_", "-"), type=int, help="instead of the preset's")
    parser.add_argument("--batch", type=int, default=100)


def of_options(options: argparse.Namespace) -> ViT:
    changes = {name: getattr(options, name) for name in SIZES if getattr(options, name) is not None}
    fields = dataclasses.replace(PRESETS[options.model], **changes)
    if fields.image_size % fields.patch_size or fields.dim % fields.heads:
        raise SystemExit("the patch must divide the image, and the heads dim")
    return fields
