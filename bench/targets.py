"""What vitcl is to reach, and what compare.py says of a figure beside it."""
from dataclasses import dataclass


@dataclass(frozen=True)
class Target:
    work: str
    target: float | None = None
    stretch: float | None = None
    unit: str = "x"  # "x": times the opponent's speed; "%": a share; "s": seconds, the fewer the better

    def text(self, value: float | None) -> str:
        if value is None:
            return "-"
        return {"x": f"{value:.2f}x", "%": f"{100 * value:.0f}%", "s": f"{value:.2f} s"}[self.unit]

    def verdict(self, value: float) -> str:
        if self.target is None:
            return "-"
        reaches = (lambda limit: value <= limit) if self.unit == "s" else (lambda limit: value >= limit)
        return "stretch" if reaches(self.stretch) else "met" if reaches(self.target) else "missed"


# Against PyTorch's best mode on the same machine where nothing else is said; MKL's products are PyTorch's.
TARGETS = {
    "step-100": Target("training step, article model, batch 100", 2.5, 3.5),
    "step-512": Target("training step, article model, batch 512", 2.5, 3.5),
    "step-1": Target("training step, article model, batch 1", 5, 8),
    "step-16": Target("training step, article model, batch 16", 3, 4.5),
    "inference": Target("inference, batch 1000", 3, 4),
    "peak": Target("share of the FMA peak, training step, batch 100", 0.5, 0.65, "%"),
    "tiny": Target("training step, ViT-Tiny/16 at 224 px, batch 16", 1.1, 1.3),
    "small": Target("training step, ViT-Small/16 at 224 px, batch 8", 1.1, 1.3),
    "gemm-article": Target("matrix products of the article's shapes, all forms", 1, 1.15),
    "gemm-square": Target("matrix product 1024^3, all forms", 0.9, 1.05),
    "gemm-small": Target("matrix products of ViT-Small's shapes, all forms", 0.9, 1.05),
    "intel": Target("training step, batch 100, Intel's OpenCL runtime", 2.5, 3.5),
    "tinygrad": Target("training step, batch 100, against tinygrad on OpenCL", 25, 40),
    "cold": Target("first step, nothing cached", 8, 4, "s"),
    "warm": Target("first step, kernels cached", 1, 0.4, "s"),
    "memory": Target("memory of a training step, batch 100: planned, against PyTorch's growth"),
}
