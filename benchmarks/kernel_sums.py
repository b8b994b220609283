"""Kernel sums of an E-step against the bare matrix product of the same shapes.

Usage: python benchmarks/kernel_sums.py [--threads 1] [--repeats 5]
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parent))

from _runs import timed

from skdeepmix.distributions import parzen_log_prob

BLOCK_ROWS = 1024  # of the product in blocks, each written over the last


def main():
    """Time all in turns, and print median seconds and the median of the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    sizes = {"rows": 70_000, "networks": 10, "samples": 1000, "dims": 32}
    for name, default in {**sizes, "threads": 1, "repeats": 5}.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(args.rows, args.dims, generator=generator)
    y = torch.rand(args.networks, args.samples, args.dims, generator=generator)
    calls = calls_by_name(x, y)
    seconds = np.array(
        [[timed(call) for call in calls.values()] for _ in range(args.repeats)]
    )
    ratios = seconds[:, :1] / seconds
    print(f"{'':32}seconds   kernel sums / this")
    rows = zip(calls, np.median(seconds, 0), np.median(ratios, 0), strict=True)
    for name, second, ratio in rows:
        print(f"{name:32}{second:7.3f}   {ratio:18.2f}")


def calls_by_name(x, y):
    columns = y.flatten(0, 1).T
    whole, block = x.new_empty(len(x), columns.shape[1]), x.new_empty(0)
    return {
        "kernel sums": lambda: parzen_log_prob(x, y, 0.3),
        "product, new memory": lambda: torch.mm(x, columns),
        "product, same memory": lambda: torch.mm(x, columns, out=whole),
        f"product, {BLOCK_ROWS} rows at a time": lambda: [
            torch.mm(rows, columns, out=block.resize_(len(rows), columns.shape[1]))
            for rows in x.split(BLOCK_ROWS)
        ],
    }


if __name__ == "__main__":
    main()
