"""The contract of a :class:`~skdeepmix.base.MixtureModule`, as checks to call."""

import copy

import numpy as np
import torch

from skdeepmix._data import Rows, Scaling
from skdeepmix._training import take_move

__all__ = ["check_mixture_module", "module_factory"]

CHECKS = []
# Epochs in which every parameter must learn: the bias of a critic waits for its margin.
N_LEARNING = 30


def check_mixture_module(make_module, X):
    """Check that a module keeps the contract, and say where it does not.

    Parameters
    ----------
    make_module : callable
        ``make_module(n_features, n_clusters, seed)`` returns a fresh
        :class:`~skdeepmix.base.MixtureModule`.
    X : ndarray of shape (n_samples, n_features)
        Rows to try it on, in model units; a few dozen will do.

    Raises
    ------
    AssertionError
        With the sentence of the contract that does not hold.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepmix import GaussianMixtureVAE
    >>> from skdeepmix.utils.estimator_checks import (
    ...     check_mixture_module, module_factory)
    >>> X = np.random.RandomState(0).randn(30, 4)
    >>> check_mixture_module(module_factory(GaussianMixtureVAE(), X), X)
    """
    for check in CHECKS:
        check(make_module, X)


def module_factory(estimator, X):
    """Turn an estimator into what :func:`check_mixture_module` takes.

    Parameters
    ----------
    estimator : BaseDeepMixture
        Whose parameters are used, apart from the number of clusters.
    X : ndarray of shape (n_samples, n_features)
        Rows, from which default networks are chosen.

    Returns
    -------
    make_module : callable
        Makes modules.
    """

    def make_module(n_features, n_clusters, seed):
        fresh = copy.deepcopy(estimator).set_params(n_clusters=n_clusters)
        fresh._freeze(np.asarray(X)[:, :n_features])
        return fresh._new_module(seed)

    return make_module


def _check(function):
    CHECKS.append(function)
    return function


def _require(condition, sentence, **values):
    if not condition:
        details = ", ".join(f"{name} = {value}" for name, value in values.items())
        raise AssertionError(f"{sentence} {details}".strip())


def _prepare(make_module, X, n_clusters=3, batch_size=16, seed=0):
    module = make_module(X.shape[1], n_clusters, seed)
    module.generator = torch.Generator().manual_seed(seed)
    return module, Rows(X, Scaling(), batch_size=batch_size, seed=seed)


def _state(module):
    """Copy every parameter and buffer."""
    named = [*module.named_parameters(), *module.named_buffers()]
    return {name: tensor.detach().clone() for name, tensor in named}


def _changed(before, after):
    return {name for name in before if not torch.equal(before[name], after[name])}


def _owned(module, optimizers):
    """Names of the parameters of every player."""
    names = {id(p): name for name, p in module.named_parameters()}
    return {
        player: {names[id(p)] for g in optimizer.param_groups for p in g["params"]}
        for player, optimizer in optimizers.items()
    }


def _train_epoch(module, data):
    """Take the moves of one epoch of pre-training and one of the fit; return terms."""
    module.train()
    parts = [(module.optimizers(1e-2), module.epoch(data, 0.0))]
    # Without a player there is no pre-training.
    if pretraining := module.pretraining_optimizers(1e-2):
        parts.insert(0, (pretraining, module.pretraining_epoch(data)))
    moves = []
    for optimizers, epoch in parts:
        for terms, *players in epoch:
            take_move(terms, [optimizers[name] for name in players or optimizers])
            moves.append({name: float(term.detach()) for name, term in terms.items()})
    return moves


def _trained(make_module, X, n_clusters=3):
    """Make a module that has left its initial state, in evaluation mode."""
    module, data = _prepare(make_module, X, n_clusters)
    _train_epoch(module, data)
    return module.eval().double(), torch.from_numpy(np.asarray(X, dtype=np.float64))


@_check
def check_moves_change_their_players_alone(make_module, X):
    """A move changes its players' parameters, buffers, and nothing else."""
    module, data = _prepare(make_module, X)
    module.train()
    optimizers = module.optimizers(1e-2)
    owned, parameters = _owned(module, optimizers), dict(module.named_parameters())
    moves, allowed = module.epoch(data, 0.0), set()
    while True:
        before = _state(module)
        move = next(moves, None)
        stray = (_changed(before, _state(module)) & set(parameters)) - allowed
        _require(
            not stray,
            "Between moves only parameters of the last players may change.",
            changed=sorted(stray),
        )
        if move is None:
            break
        terms, *players = move
        players = players or list(optimizers)
        unknown = set(players) - set(optimizers)
        _require(not unknown, "Players must be optimizers.", unknown=sorted(unknown))
        before = _state(module)
        take_move(terms, [optimizers[name] for name in players])
        changed = _changed(before, _state(module))
        allowed = set().union(*(owned[name] for name in players))
        _require(
            changed <= allowed,
            "A step must change the parameters of its players alone.",
            players=players,
            changed=sorted(changed - allowed),
        )
        idle = [name for name in players if not owned[name] & changed]
        _require(not idle, "Every player of a move must be moved by it.", idle=idle)


@_check
def check_every_parameter_learns(make_module, X):
    """Every parameter has an owner, and a gradient in pre-training or a few epochs."""
    module, data = _prepare(make_module, X)
    owned = set().union(*_owned(module, module.optimizers(1e-2)).values())
    orphans = {name for name, _ in module.named_parameters()} - owned
    _require(
        not orphans, "Every parameter needs an optimizer.", orphans=sorted(orphans)
    )
    before, still = _state(module), owned
    for _ in range(N_LEARNING):
        _train_epoch(module, data)
        still = still - _changed(before, _state(module))
        if not still:
            break
    _require(
        not still,
        "Every parameter must get a non-zero gradient in pre-training or a few epochs.",
        unchanged=sorted(still),
    )


@_check
def check_terms(make_module, X):
    """Terms are named, finite scalars, with a batch larger than the data too."""
    module, data = _prepare(make_module, X, batch_size=10 * len(X))
    for terms in _train_epoch(module, data):
        bad = {name for name, term in terms.items() if not np.isfinite(term)}
        _require(not bad, "Terms must be finite.", bad=sorted(bad))


@_check
def check_log_resp(make_module, X):
    """log_resp is normalised, repeatable, and a function of each row alone."""
    module, x = _trained(make_module, X)
    with torch.inference_mode():
        log_resp = module.log_resp(x)
        total = log_resp.exp().sum(1)
        _require(
            log_resp.shape == (len(x), module.n_clusters),
            "log_resp must have the shape (n, n_clusters).",
            shape=tuple(log_resp.shape),
        )
        _require(
            torch.allclose(total, torch.ones_like(total)),
            "The rows of exp(log_resp) must sum to 1.",
            largest=float(total.max()),
        )
        _require(
            torch.equal(log_resp, module.log_resp(x)), "log_resp must be repeatable."
        )
        order = torch.arange(len(x)).flip(0)
        _require(
            torch.allclose(log_resp[order], module.log_resp(x[order]), atol=1e-9),
            "log_resp must not depend on the order of the rows.",
        )
        single = torch.cat([module.log_resp(row[None]) for row in x])
        _require(
            torch.allclose(log_resp, single, atol=1e-9),
            "log_resp must not depend on the other rows of the batch.",
        )


@_check
def check_one_cluster(make_module, X):
    """With one cluster every row belongs to it, and training stays finite."""
    module, x = _trained(make_module, X, n_clusters=1)
    with torch.inference_mode():
        log_resp = module.log_resp(x)
    _require(
        torch.allclose(log_resp, torch.zeros_like(log_resp)),
        "With n_clusters = 1, log_resp must be 0.",
        least=float(log_resp.min()),
    )


@_check
def check_shapes(make_module, X):
    """Embedding, decoding, centres, samples and densities have their shapes."""
    module, x = _trained(make_module, X)
    n, n_features = x.shape
    cluster = torch.arange(n) % module.n_clusters
    with torch.inference_mode():
        z = module.embed(x)
        found = {
            "embed": z,
            "decode": module.decode(z),
            "centers": module.centers(),
            "sample": module.sample(cluster, torch.Generator().manual_seed(0)),
            "log_prob": module.log_prob(x),
            "log_weights": module.log_weights,
        }
    expected = {
        "embed": (n, module.n_latent),
        "decode": (n, n_features),
        "centers": (module.n_clusters, n_features),
        "sample": (n, n_features),
        "log_prob": (n,),
        "log_weights": (module.n_clusters,),
    }
    for name, value in found.items():
        _require(
            tuple(value.shape) == expected[name],
            f"{name} must have the shape {expected[name]}.",
            shape=tuple(value.shape),
        )
        _require(bool(value.isfinite().all()), f"{name} must be finite.")


@_check
def check_randomness(make_module, X):
    """All randomness comes from explicit generators."""
    state = torch.get_rng_state()
    module, data = _prepare(make_module, X)
    _train_epoch(module, data)
    module.eval()
    cluster = torch.zeros(5, dtype=torch.int64)
    with torch.inference_mode():
        draws = [
            module.sample(cluster, torch.Generator().manual_seed(seed))
            for seed in (1, 1, 2)
        ]
    _require(
        torch.equal(state, torch.get_rng_state()),
        "torch's global random state must not be touched.",
    )
    _require(
        torch.equal(draws[0], draws[1]),
        "The same generator seed must give the same samples.",
    )
    _require(
        not torch.equal(draws[0], draws[2]),
        "Another generator seed must give other samples.",
    )
    other, data = _prepare(make_module, X)
    _train_epoch(other, data)
    differing = _changed(_state(module), _state(other))
    _require(
        not differing,
        "The same seeds must give the same fit.",
        differing=sorted(differing),
    )


@_check
def check_state_round_trip(make_module, X):
    """A module is rebuilt from its arguments and its state."""
    module, x = _trained(make_module, X)
    other = make_module(x.shape[1], module.n_clusters, 1).double()
    other.load_state_dict(module.state_dict())
    other.eval()
    with torch.inference_mode():
        for name in ("log_resp", "embed", "log_prob"):
            _require(
                torch.equal(getattr(module, name)(x), getattr(other, name)(x)),
                f"{name} must survive a round trip through state_dict.",
            )
