#!/usr/bin/env python3
"""Times PyTorch on the CPU training the article's Vision Transformer: the yardstick for bench/compare_pytorch.py.

Prints one JSON object: ms_per_step (median and min over the repeats), images_per_second, inference images per second.
Modes: eager, and eager-fused with PyTorch's fused Adam. Needs torch. Images are random numbers: their values do not
matter for the time.
"""
import argparse
import json
import statistics
import time

import torch
from torch import nn
from torch.nn import functional as F

IMAGE, PATCH, CLASSES, DIM, DEPTH, HEADS, MLP_DIM = 28, 7, 10, 64, 6, 8, 128
GRID = IMAGE // PATCH


class EncoderBlock(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention_norm = nn.LayerNorm(DIM)
        self.qkv = nn.Linear(DIM, 3 * DIM, bias=False)
        self.projection = nn.Linear(DIM, DIM)
        self.mlp_norm = nn.LayerNorm(DIM)
        self.mlp = nn.Sequential(nn.Linear(DIM, MLP_DIM), nn.GELU(), nn.Linear(MLP_DIM, DIM))

    def attention(self, tokens):
        batch, count, _ = tokens.shape
        heads = [part.view(batch, count, HEADS, -1).transpose(1, 2) for part in self.qkv(tokens).chunk(3, dim=-1)]
        query, key, value = heads
        weights = torch.softmax(query @ key.transpose(-2, -1) * DIM**-0.5, dim=-1)  # the article's scale
        return self.projection((weights @ value).transpose(1, 2).reshape(batch, count, DIM))

    def forward(self, tokens):
        tokens = tokens + self.attention(self.attention_norm(tokens))
        return tokens + self.mlp(self.mlp_norm(tokens))


class VisionTransformer(nn.Module):
    def __init__(self):
        super().__init__()
        self.patch_embedding = nn.Linear(PATCH * PATCH, DIM)
        self.class_token = nn.Parameter(torch.randn(1, 1, DIM))
        self.positions = nn.Parameter(torch.randn(1, GRID * GRID + 1, DIM))
        self.blocks = nn.Sequential(*[EncoderBlock() for _ in range(DEPTH)])
        self.head = nn.Sequential(nn.Linear(DIM, MLP_DIM), nn.GELU(), nn.Linear(MLP_DIM, CLASSES))

    def forward(self, images):
        batch = images.shape[0]
        cut = images.reshape(batch, GRID, PATCH, GRID, PATCH).transpose(2, 3).reshape(batch, GRID * GRID, PATCH * PATCH)
        tokens = torch.cat([self.class_token.expand(batch, -1, -1), self.patch_embedding(cut)], dim=1)
        return self.head(self.blocks(tokens + self.positions)[:, 0])


def seconds_of(work, repeats):
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return times


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--steps", type=int, default=40, help="steps in a repeat")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--mode", choices=["eager", "eager-fused"], default="eager")
    options = parser.parse_args()

    torch.manual_seed(0)
    model = VisionTransformer()
    adam = torch.optim.Adam(model.parameters(), lr=0.003, fused=options.mode == "eager-fused")
    images = torch.randn(10 * options.batch, 1, IMAGE, IMAGE)
    labels = torch.randint(CLASSES, (10 * options.batch,))

    def train(steps=options.steps):
        for step in range(steps):
            first = step % 10 * options.batch
            chosen = slice(first, first + options.batch)
            adam.zero_grad()
            F.cross_entropy(model(images[chosen]), labels[chosen]).backward()
            adam.step()

    @torch.no_grad()
    def infer():
        for step in range(10):
            model(images[step * options.batch : (step + 1) * options.batch])

    train(5)
    train_times = seconds_of(train, options.repeats)
    infer()
    infer_times = seconds_of(infer, options.repeats)
    median = statistics.median(train_times) / options.steps
    print(json.dumps({
        "program": f"pytorch {torch.__version__} {options.mode}",
        "parameters": sum(p.numel() for p in model.parameters()),
        "batch": options.batch,
        "threads": torch.get_num_threads(),
        "ms_per_step": round(1e3 * median, 3),
        "ms_per_step_min": round(1e3 * min(train_times) / options.steps, 3),
        "images_per_second": round(options.batch / median, 1),
        "inference_images_per_second": round(10 * options.batch / statistics.median(infer_times), 1),
    }))


if __name__ == "__main__":
    main()
