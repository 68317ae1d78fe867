#!/usr/bin/env python3
"""Times tinygrad on its OpenCL backend, training a Vision Transformer: another yardstick of compare.py.

  tinygrad_vit.py --batch 100                one measurement, printed as a line of JSON
  tinygrad_vit.py --batch 100 --serve        one for each line on stdin, with the compiled step kept

The step (forward, backward, Adam) is one TinyJit, as tinygrad's own examples have it; images are random numbers. Needs
tinygrad 0.14; its variables (BEAM, FUSE_OPTIM) count as always, DEV is CL where it is not set.
"""
import argparse
import importlib.metadata
import json
import os
import statistics
import sys
import time

os.environ.setdefault("DEV", "CL")

from tinygrad import Context, Device, Tensor, TinyJit, nn

import vit_fields

WARM_UP_STEPS = 2


class EncoderBlock:
    def __init__(self, fields):
        dim, self.heads, self.scale = fields.dim, fields.heads, fields.attention_scale
        self.attention_norm = nn.LayerNorm(dim, eps=fields.norm_epsilon)
        self.qkv = nn.Linear(dim, 3 * dim, bias=fields.qkv_bias)
        self.projection = nn.Linear(dim, dim)
        self.mlp_norm = nn.LayerNorm(dim, eps=fields.norm_epsilon)
        self.up, self.down = nn.Linear(dim, fields.mlp_dim), nn.Linear(fields.mlp_dim, dim)

    def attention(self, tokens):
        batch, count, dim = tokens.shape
        split = self.qkv(tokens).reshape(batch, count, 3, self.heads, dim // self.heads).permute(2, 0, 3, 1, 4)
        query, key, value = split[0], split[1], split[2]
        weights = (query @ key.transpose(-2, -1) * self.scale).softmax(-1)
        return self.projection((weights @ value).transpose(1, 2).reshape(batch, count, dim))

    def __call__(self, tokens):
        tokens = tokens + self.attention(self.attention_norm(tokens))
        return tokens + self.down(self.up(self.mlp_norm(tokens)).gelu("none"))


class VisionTransformer:
    def __init__(self, fields):
        self.fields, dim = fields, fields.dim
        self.patch_embedding = nn.Linear(fields.patch_size**2 * fields.channels, dim)
        self.class_token = Tensor.randn(1, 1, dim)
        self.positions = Tensor.randn(1, fields.tokens, dim)
        self.blocks = [EncoderBlock(fields) for _ in range(fields.depth)]
        self.norm = nn.LayerNorm(dim, eps=fields.norm_epsilon) if fields.final_norm else None
        self.head_up = nn.Linear(dim, fields.mlp_dim) if fields.mlp_head else None
        self.head = nn.Linear(fields.mlp_dim if fields.mlp_head else dim, fields.classes)

    def __call__(self, images):
        f, batch = self.fields, images.shape[0]
        cut = images.reshape(batch, f.channels, f.grid, f.patch_size, f.grid, f.patch_size).permute(0, 2, 4, 3, 5, 1)
        patches = self.patch_embedding(cut.reshape(batch, f.grid**2, -1))
        tokens = self.class_token.expand(batch, 1, f.dim).cat(patches, dim=1) + self.positions
        for block in self.blocks:
            tokens = block(tokens)
        first = (self.norm(tokens) if self.norm else tokens)[:, 0]
        return self.head(self.head_up(first).gelu("none") if self.head_up else first)


class Bench:
    def __init__(self, fields, batch):
        Tensor.manual_seed(0)
        self.model = VisionTransformer(fields)
        self.parameters = nn.state.get_parameters(self.model)
        adam = nn.optim.Adam(self.parameters, lr=0.003)
        self.images = Tensor.randn(batch, fields.channels, fields.image_size, fields.image_size).realize()
        self.labels = Tensor.randint(batch, high=fields.classes).realize()

        @TinyJit
        def step(images, labels):
            adam.zero_grad()
            loss = self.model(images).sparse_categorical_crossentropy(labels).backward()
            return loss.realize(*adam.schedule_step())

        self.step = step

    def seconds(self, steps):
        start = time.perf_counter()
        with Context(TRAINING=1):
            for _ in range(steps):
                self.step(self.images, self.labels)
        Device[Device.DEFAULT].synchronize()
        return time.perf_counter() - start

    def measure(self, steps, repeats=1):
        self.seconds(WARM_UP_STEPS)
        return 1e3 * statistics.median(self.seconds(steps) for _ in range(repeats)) / steps

    def parameter_count(self):
        return sum(p.numel() for p in self.parameters)


def serve(bench):
    """Answers {"steps": N}."""
    for line in sys.stdin:
        answer = {"ms_per_step": bench.measure(json.loads(line)["steps"]), "parameters": bench.parameter_count()}
        print(json.dumps(answer), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    vit_fields.add_options(parser)
    parser.add_argument("--steps", type=int, default=5, help="steps in a repeat")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--serve", action="store_true")
    options = parser.parse_args()
    bench = Bench(vit_fields.of_options(options), options.batch)
    if options.serve:
        return serve(bench)
    milliseconds = bench.measure(options.steps, options.repeats)
    print(json.dumps({
        "program": f"tinygrad {importlib.metadata.version('tinygrad')} on {Device.DEFAULT}",
        "parameters": bench.parameter_count(),
        "batch": options.batch,
        "ms_per_step": milliseconds,
        "images_per_second": 1e3 * options.batch / milliseconds,
    }))


if __name__ == "__main__":
    main()
