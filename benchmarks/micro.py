"""Parts of a step against the floor that their operations and their memory set.

    python benchmarks/micro.py [--threads 1] [--repeats 20]

appends to ``benchmarks/results/micro.jsonl`` the median time of a call, forward and,
where it is trained, backward, beside the larger of two: floating-point operations of
its matrix products at the rate of the machine's own product, and bytes that have to be
read and written at the rate of its own copy of more than the caches hold. Below the
latter go calls whose tensors stay in a cache; far above it, those that are a dozen
small operations. What is there is skipped.
"""

import sys
from functools import partial
from pathlib import Path
from statistics import median

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent))

from _runs import Runs, set_threads, timed, timing_parser
from speed import peak

from skdeepmix._data import Rows, Scaling
from skdeepmix.distributions import BernoulliLikelihood, parzen_log_prob
from skdeepmix.losses import (
    dhsic,
    dirichlet_kl,
    gaussian_kl,
    gaussian_log_prob,
    squared_mmd,
)
from skdeepmix.networks import StackedLinear

BATCH = 256
N_FEATURES = 784
N_LATENT = 10
N_CLUSTERS = 10
N_SAMPLES = 1000
N_ROWS = 10_000
N_UNITS = 500
# Elements of the copy that tells the rate of the memory.
COPIED = 2**25
FLOAT = 4


def bandwidth():
    """Rate of a copy of more than the caches hold.

    Returns
    -------
    bandwidth : float
        Bytes read and written per second, of the fastest of several copies.
    """
    source = torch.rand(COPIED)
    target = torch.empty_like(source)
    target.copy_(source)
    return 2 * FLOAT * COPIED / min(timed(target.copy_, source) for _ in range(5))


def trained(function, *inputs):
    """Make a call that goes forward and backward.

    Parameters
    ----------
    function : callable
        Of the inputs.
    *inputs : torch.Tensor
        All of which get a gradient.

    Returns
    -------
    call : callable
        Without arguments.
    """
    inputs = [tensor.requires_grad_() for tensor in inputs]
    return lambda: torch.autograd.grad(function(*inputs).sum(), inputs)


def cases():
    """Calls with the operations of their products and the bytes that they must move.

    Yields
    ------
    name : str
        What is called.
    call : callable
        Without arguments.
    operations, moved : int
        Of the matrix products; bytes of inputs, outputs and gradients.
    """
    generator = torch.Generator().manual_seed(0)
    draw = partial(torch.randn, generator=generator)
    rows = Rows(draw(N_ROWS, N_FEATURES).numpy(), Scaling()).reside()
    chosen = torch.randperm(N_ROWS, generator=generator)[:BATCH]
    moved = 2 * BATCH * N_FEATURES
    yield "gather a batch", lambda: rows[chosen], 0, moved * FLOAT
    logits, images = draw(BATCH, N_FEATURES), draw(BATCH, N_FEATURES).sigmoid()
    log_prob = partial(BernoulliLikelihood().log_prob, images)
    moved = 3 * BATCH * N_FEATURES + BATCH
    yield "log_prob of images", trained(log_prob, logits), 0, moved * FLOAT
    codes = draw(2, BATCH, N_LATENT)
    moved = 2 * codes.numel() + BATCH
    yield "gaussian_kl", trained(gaussian_kl, *codes), 0, moved * FLOAT
    points = draw(BATCH, 1, N_LATENT), draw(N_CLUSTERS, N_LATENT)
    points = *points, draw(N_CLUSTERS, N_LATENT)
    moved = 2 * sum(p.numel() for p in points) + BATCH * N_CLUSTERS
    call = trained(gaussian_log_prob, *points)
    yield "gaussian_log_prob of K components", call, 0, moved * FLOAT
    concentrations = draw(BATCH, N_CLUSTERS).exp()
    prior = torch.ones(1, N_CLUSTERS)
    call = trained(lambda a: dirichlet_kl(a, prior), concentrations)
    yield "dirichlet_kl", call, 0, (2 * concentrations.numel() + BATCH) * FLOAT
    # Distances, twice for the gradient of both factors.
    pairs = draw(2, N_CLUSTERS, 100, N_LATENT)
    products = 3 * 3 * 2 * N_CLUSTERS * 100**2 * N_LATENT
    call = trained(lambda x, y: squared_mmd(x, y, (0.5, 1.0, 2.0)), *pairs)
    yield "squared_mmd of K networks", call, products, 2 * pairs.numel() * FLOAT
    latents = draw(N_CLUSTERS, 128, N_LATENT)
    products = 3 * 2 * N_CLUSTERS * 128**2 * N_LATENT
    call = trained(dhsic, latents)
    yield "dhsic of K latents", call, products, 2 * latents.numel() * FLOAT
    layer = StackedLinear(N_CLUSTERS, N_UNITS, N_UNITS, generator)
    inputs = draw(N_CLUSTERS, BATCH, N_UNITS)
    call = trained(lambda x, weight, bias: layer(x), inputs, layer.weight, layer.bias)
    products = 3 * 2 * N_CLUSTERS * BATCH * N_UNITS**2
    moved = 3 * inputs.numel() + 2 * layer.weight.numel()
    yield "StackedLinear of K networks", call, products, moved * FLOAT
    samples = draw(N_CLUSTERS, N_SAMPLES, 32)
    some = draw(N_ROWS, 32)
    products = 2 * N_ROWS * samples.numel()
    moved = some.numel() + samples.numel() + N_ROWS * N_CLUSTERS
    call = partial(parzen_log_prob, some, samples, 0.3)
    yield "parzen_log_prob, an E-step", call, products, moved * FLOAT


def main(argv=None):
    """Time every call.

    Parameters
    ----------
    argv : list of str or None, default=None
        Arguments; None takes those of the process.
    """
    options = timing_parser(__doc__.splitlines()[0], repeats=20)
    options.set_defaults(threads=1)
    args = options.parse_args(argv)
    set_threads(args.threads)
    runs = Runs(args.results / "micro.jsonl")
    data = f"threads: {torch.get_num_threads()}"
    rate, copied = peak(torch.float32, "cpu"), bandwidth()
    for name, call, operations, moved in cases():
        if runs.done(data, name, 0):
            continue
        call()
        seconds = median(timed(call) for _ in range(args.repeats))
        runs.record(
            data,
            name,
            0,
            seconds=seconds,
            operations=operations,
            moved=moved,
            floor=max(operations / rate, moved / copied),
            rate=rate,
            bandwidth=copied,
            n_repeats=args.repeats,
        )


if __name__ == "__main__":
    main()
