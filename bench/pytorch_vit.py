#!/usr/bin/env python3
"""Times PyTorch on the CPU, training and running a Vision Transformer: the yardstick of compare.py and scaling.py.

  pytorch_vit.py --model tiny --batch 16 --mode compile-fused      one measurement, printed as a line of JSON
  pytorch_vit.py --model tiny --batch 16 --serve                   one for each line of JSON on stdin

A mode is words joined by '-': eager or compile (torch.compile), then, as wanted, sdpa (attention by
scaled_dot_product_attention instead of products and a softmax) and fused (PyTorch's fused Adam). Images are random
numbers: their values do not matter for the time. Needs torch.
"""
import argparse
import json
import resource
import statistics
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F

import vit_fields

BATCHES = 10  # the steps go round these
WARM_UP_STEPS = 4


class EncoderBlock(nn.Module):
    def __init__(self, fields, sdpa):
        super().__init__()
        dim, self.heads, self.scale, self.sdpa = fields.dim, fields.heads, fields.attention_scale, sdpa
        self.attention_norm = nn.LayerNorm(dim, eps=fields.norm_epsilon)
        self.qkv = nn.Linear(dim, 3 * dim, bias=fields.qkv_bias)
        self.projection = nn.Linear(dim, dim)
        self.mlp_norm = nn.LayerNorm(dim, eps=fields.norm_epsilon)
        self.mlp = nn.Sequential(nn.Linear(dim, fields.mlp_dim), nn.GELU(), nn.Linear(fields.mlp_dim, dim))

    def attention(self, tokens):
        batch, count, dim = tokens.shape
        split = self.qkv(tokens).view(batch, count, 3, self.heads, dim // self.heads)
        query, key, value = split.permute(2, 0, 3, 1, 4).unbind()
        if self.sdpa:
            mixed = F.scaled_dot_product_attention(query, key, value, scale=self.scale)
        else:
            mixed = torch.softmax(query @ key.transpose(-2, -1) * self.scale, dim=-1) @ value
        return self.projection(mixed.transpose(1, 2).reshape(batch, count, dim))

    def forward(self, tokens):
        tokens = tokens + self.attention(self.attention_norm(tokens))
        return tokens + self.mlp(self.mlp_norm(tokens))


class VisionTransformer(nn.Module):
    def __init__(self, fields, sdpa=False):
        super().__init__()
        self.grid, self.patch, dim = fields.grid, fields.patch_size, fields.dim
        self.patch_embedding = nn.Linear(fields.patch_size**2 * fields.channels, dim)
        self.class_token = nn.Parameter(torch.randn(1, 1, dim))
        self.positions = nn.Parameter(torch.randn(1, fields.tokens, dim))
        self.blocks = nn.Sequential(*[EncoderBlock(fields, sdpa) for _ in range(fields.depth)])
        self.norm = nn.LayerNorm(dim, eps=fields.norm_epsilon) if fields.final_norm else nn.Identity()
        up = [nn.Linear(dim, fields.mlp_dim), nn.GELU()] if fields.mlp_head else []
        self.head = nn.Sequential(*up, nn.Linear(fields.mlp_dim if up else dim, fields.classes))

    def forward(self, images):
        batch, channels = images.shape[:2]
        cut = images.view(batch, channels, self.grid, self.patch, self.grid, self.patch).permute(0, 2, 4, 3, 5, 1)
        patches = self.patch_embedding(cut.reshape(batch, self.grid**2, -1))
        tokens = torch.cat([self.class_token.expand(batch, -1, -1), patches], dim=1) + self.positions
        return self.head(self.norm(self.blocks(tokens))[:, 0])


class Bench:
    """A model in one mode, its optimiser and random images."""

    def __init__(self, fields, batch, mode):
        words = set(mode.split("-"))
        if not words <= {"eager", "compile", "sdpa", "fused"}:
            raise ValueError(f"unknown mode {mode}")
        torch.manual_seed(0)
        self.mode, self.batch = mode, batch
        self.model = VisionTransformer(fields, "sdpa" in words)
        images = torch.randn(BATCHES * batch, fields.channels, fields.image_size, fields.image_size)
        self.batches = list(zip(images.split(batch), torch.randint(fields.classes, (BATCHES * batch,)).split(batch)))
        self.resident_before = peak_resident_bytes()
        self.adam = torch.optim.Adam(self.model.parameters(), lr=0.003, fused="fused" in words)
        run, loss = self.model.forward, lambda images, labels: F.cross_entropy(self.model(images), labels)
        compiled = (lambda f: torch.compile(f, dynamic=False)) if "compile" in words else (lambda f: f)
        self.run, self.loss = compiled(run), compiled(loss)

    def train(self, steps):
        for step in range(steps):
            self.adam.zero_grad()
            self.loss(*self.batches[step % BATCHES]).backward()
            self.adam.step()

    @torch.no_grad()
    def infer(self, steps):
        for step in range(steps):
            self.run(self.batches[step % BATCHES][0])

    def measure(self, work, steps, repeats=1):
        """Milliseconds a step of training ("train") or inference ("infer")."""
        timed = {"train": self.train, "infer": self.infer}[work]
        timed(min(steps, WARM_UP_STEPS))
        times = sorted(seconds_of(timed, steps) for _ in range(repeats))
        return 1e3 * statistics.median(times) / steps, 1e3 * times[0] / steps


def seconds_of(work, *arguments):
    start = time.perf_counter()
    work(*arguments)
    return time.perf_counter() - start


def peak_resident_bytes():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def products(rows, size_in, size_out):
    """The three products of a linear layer, as vitcl's op_bench names them: y = x wT, dx = dy w, dw = dyT x."""
    x, w, dy = torch.randn(rows, size_in), torch.randn(size_out, size_in), torch.randn(rows, size_out)
    y, dx, dw = torch.empty_like(dy), torch.empty_like(x), torch.empty_like(w)
    return {"nt": lambda: torch.mm(x, w.T, out=y), "nn": lambda: torch.mm(dy, w, out=dx),
            "tn": lambda: torch.mm(dy.T, x, out=dw)}


def gemm_gflops(product, seconds=0.1):
    """GFLOP/s of a product named as "nt/1700x64x192": form, rows x in x out."""
    form, shape = product.split("/")
    rows, size_in, size_out = map(int, shape.split("x"))
    multiply = products(rows, size_in, size_out)[form]
    once = min(seconds_of(multiply) for _ in range(3))
    calls = max(1, round(seconds / once))
    elapsed = seconds_of(lambda: [multiply() for _ in range(calls)])
    return 2e-9 * rows * size_in * size_out * calls / elapsed


def serve(fields, batch):
    """Answers {"gemm": NAME}, or {"mode": MODE, "work": "train" or "infer", "steps": N}; models are kept warm."""
    benches = {}

    def answer(request):
        if "gemm" in request:
            return {"gflops": gemm_gflops(request["gemm"])}
        mode = request["mode"]
        bench = benches.get(mode) or benches.setdefault(mode, Bench(fields, batch, mode))
        return {"ms_per_step": bench.measure(request["work"], request["steps"])[0],
                "parameters": sum(p.numel() for p in bench.model.parameters())}

    for line in sys.stdin:
        try:
            reply = answer(json.loads(line))
        except Exception as error:  # a mode that PyTorch can't do here; others may do
            reply = {"error": f"{type(error).__name__}: {error}".splitlines()[0]}
        print(json.dumps(reply), flush=True)


def measure_once(fields, options):
    bench = Bench(fields, options.batch, options.mode)
    median, least = bench.measure("train", options.steps, options.repeats)
    growth = peak_resident_bytes() - bench.resident_before
    infer, _ = bench.measure("infer", options.steps, options.repeats)
    return {
        "program": f"pytorch {torch.__version__} {options.mode}",
        "parameters": sum(p.numel() for p in bench.model.parameters()),
        "batch": options.batch,
        "threads": torch.get_num_threads(),
        "ms_per_step": median,
        "ms_per_step_min": least,
        "images_per_second": 1e3 * options.batch / median,
        "inference_images_per_second": 1e3 * options.batch / infer,
        "resident_growth_bytes": growth,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    vit_fields.add_options(parser)
    parser.add_argument("--mode", default="eager-fused")
    parser.add_argument("--steps", type=int, default=40, help="steps in a repeat")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--serve", action="store_true")
    options = parser.parse_args()
    fields = vit_fields.of_options(options)
    if options.serve:
        serve(fields, options.batch)
    else:
        print(json.dumps(measure_once(fields, options)))


if __name__ == "__main__":
    main()
