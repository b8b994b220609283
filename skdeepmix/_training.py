"""The optimisation loop, seeds, precision and batched inference."""

import copy
from contextlib import ExitStack, closing, contextmanager

import numpy as np
import torch
from torch.overrides import TorchFunctionMode

from skdeepmix._threads import one_thread_in_workers

PRECISIONS = ("auto", "float32", "bfloat16")
# Instructions for products of bfloat16 matrices, as torch names them on x86.
NATIVE_BFLOAT16 = ("avx512_bf16", "amx_bf16")


class Means:
    """Means of named losses over an epoch, kept on the device until they are read.

    Sums and counts are added to in place, so that a recorded step adds when it is
    replayed.
    """

    def __init__(self):
        self._sums = {}
        self._counts = {}

    @torch.no_grad()
    def add(self, terms):
        """Add the losses of a move.

        Parameters
        ----------
        terms : dict of str to torch.Tensor of shape ()
            Named losses.
        """
        for name, term in terms.items():
            if name not in self._sums:
                dtype = torch.promote_types(term.dtype, torch.float32)
                self._sums[name] = torch.zeros_like(term, dtype=dtype)
                self._counts[name] = torch.zeros_like(term, dtype=dtype)
            self._sums[name] += term
            self._counts[name] += 1

    def read(self):
        """Read the device, once, and begin again.

        Returns
        -------
        means : dict of str to float
            Mean of every term over the moves that had it, in nats.
        """
        if not self._sums:
            return {}
        numbers = torch.stack([*self._sums.values(), *self._counts.values()])
        sums, counts = numbers.view(2, -1).tolist()
        for number in (*self._sums.values(), *self._counts.values()):
            number.zero_()
        found = zip(self._sums, sums, counts, strict=True)
        return {name: total / count for name, total, count in found if count > 0}


@contextmanager
def own_modes():
    """Leave the modes of torch that the caller is in: no gradients, autocast."""
    with ExitStack() as stack:
        stack.enter_context(torch.inference_mode(False))
        for device in ("cpu", "cuda"):
            if torch.is_autocast_enabled(device):
                stack.enter_context(torch.autocast(device, enabled=False))
        yield


class Float32(TorchFunctionMode):
    """Make tensors of float32 where none says its type, whatever torch's default is.

    The default is that of all threads, this mode is for its own alone.
    """

    _of_default_type = (
        torch.empty,
        torch.eye,
        torch.linspace,
        torch.ones,
        torch.rand,
        torch.randn,
        torch.zeros,
    )
    _of_type_of_values = (torch.full, torch.tensor)

    def __torch_function__(self, func, types, args=(), kwargs=None):
        """Call a function of torch."""
        kwargs = kwargs or {}
        if kwargs.get("dtype") is None and (
            func in self._of_default_type
            or (
                func in self._of_type_of_values
                and func(*args, **kwargs).is_floating_point()
            )
        ):
            kwargs["dtype"] = torch.float32
        return func(*args, **kwargs)


def take_moves(moves, optimizers, precision="float32", means=None):
    """Play the moves of one epoch: for each, backward, step and zero.

    Parameters
    ----------
    moves : generator of (terms, *players)
        What :meth:`MixtureModule.losses` yields: a dict of named scalar losses, whose
        sum is minimised, and the names of the optimizers that step; no name means all
        of them.
    optimizers : dict of str to torch.optim.Optimizer
        The players by name.
    precision : {"auto", "float32", "bfloat16"}, default="float32"
        Arithmetic of the forward pass, see :func:`uses_bfloat16`.
    means : Means or None, default=None
        Where losses are added up; None makes one. Epochs with replays share one.

    Returns
    -------
    means : dict of str to float
        Mean of every term over the moves that had it, in nats.
    """
    means = means or Means()
    device = next(iter(optimizers.values())).param_groups[0]["params"][0].device
    # The cache of cast weights is one for all threads, each of which empties it.
    autocast = torch.autocast(
        device.type,
        torch.bfloat16,
        enabled=uses_bfloat16(precision, device),
        cache_enabled=False,
    )
    # A recording must end where a step fails.
    with closing(moves):
        while (move := _next_move(moves, autocast)) is not None:
            terms, *players = move
            take_move(terms, [optimizers[name] for name in players or optimizers])
            means.add(terms)
            # Nothing of a step may be alive where the next one is recorded.
            del move, terms
    return means.read()


def take_move(terms, players):
    """Take one step of the players down the gradient of the sum of the terms.

    Parameters
    ----------
    terms : dict of str to torch.Tensor of shape ()
        Named losses.
    players : list of torch.optim.Optimizer
        Who steps; no other parameter gets a gradient.
    """
    inputs = [
        parameter
        for player in players
        for group in player.param_groups
        for parameter in group["params"]
    ]
    sum(terms.values()).backward(inputs=inputs)
    for player in players:
        player.step()
        player.zero_grad()


def _next_move(moves, autocast):
    with autocast:
        return next(moves, None)


def uses_bfloat16(precision, device):
    """Turn the `precision` parameter into whether networks compute in bfloat16.

    Parameters
    ----------
    precision : {"auto", "float32", "bfloat16"}
        ``"auto"`` is bfloat16 on hardware that multiplies it natively: GPUs that do,
        and CPUs with AVX512-BF16 or AMX.
    device : torch.device
        Where to compute.

    Returns
    -------
    bfloat16 : bool
        Else float32.
    """
    if precision != "auto":
        return precision == "bfloat16"
    if device.type == "cuda":
        with torch.cuda.device(device):
            return torch.cuda.is_bf16_supported(including_emulation=False)
    return bool(native_bfloat16())


def native_bfloat16():
    """Name the instructions of this processor for products of bfloat16 matrices.

    Returns
    -------
    names : list of str
        As torch names them; none where its version does not tell.
    """
    found = getattr(torch.cpu, "get_capabilities", dict)()
    return [name for name in NATIVE_BFLOAT16 if found.get(name, False)]


class BestState:
    """Keep the weights of the epoch with the lowest loss, and tell when to stop.

    Parameters
    ----------
    module : torch.nn.Module
        What is trained.
    tol : float
        Smallest improvement that counts, relative to the size of the best loss.
    patience : int
        Number of epochs without improvement after which to stop.
    """

    def __init__(self, module, tol, patience):
        self.module = module
        self.tol = tol
        self.patience = patience
        self.loss = np.inf
        self.state = None
        self.n_stale = 0

    def update(self, loss):
        """Note the loss of an epoch.

        Parameters
        ----------
        loss : float
            Loss of the epoch that just ended.

        Returns
        -------
        stop : bool
            Whether the patience is at an end.
        """
        improved = self.state is None or loss < self.loss - self.tol * abs(self.loss)
        self.n_stale = 0 if improved else self.n_stale + 1
        if loss < self.loss:
            self.loss = loss
            self.state = copy.deepcopy(self.module.state_dict())
        return self.n_stale >= self.patience

    def restore(self):
        """Put the best weights back, if an epoch was noted."""
        if self.state is not None:
            self.module.load_state_dict(self.state)


def resolve_device(device):
    """Turn the `device` parameter into a torch device.

    Parameters
    ----------
    device : str or torch.device
        ``"auto"`` is a CUDA device when there is one, else the CPU.

    Returns
    -------
    device : torch.device
        The device.

    Raises
    ------
    ValueError
        If the device does not exist.
    """
    has_cuda = torch.cuda.is_available()
    if isinstance(device, str) and device == "auto":
        return torch.device("cuda" if has_cuda else "cpu")
    try:
        resolved = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise ValueError(
            f"device={device!r} is not a torch device. Use 'auto', 'cpu' or 'cuda'."
        ) from error
    if resolved.type not in ("cpu", "cuda"):
        raise ValueError(
            f"device={device!r} is of the type '{resolved.type}', which is not "
            "supported. Use 'auto', 'cpu' or 'cuda'."
        )
    if resolved.type == "cuda" and not has_cuda:
        raise ValueError(
            f"device={device!r} was requested but no CUDA device is available. "
            "Use device='cpu' or device='auto'."
        )
    if resolved.type == "cuda" and (resolved.index or 0) >= torch.cuda.device_count():
        raise ValueError(
            f"device={device!r} was requested but there are "
            f"{torch.cuda.device_count()} CUDA devices, counted from 0. Use a smaller "
            "index or device='auto'."
        )
    return resolved


def draw_seed(random_state):
    """Draw a seed for something that has randomness of its own.

    Parameters
    ----------
    random_state : numpy.random.RandomState
        Source of the seed.

    Returns
    -------
    seed : int
        At least 0.
    """
    return int(random_state.randint(np.iinfo(np.int32).max))


@one_thread_in_workers()
@own_modes()
def map_batches(function, batches, n_samples):
    """Apply a function of tensors to batches, without gradients.

    Parameters
    ----------
    function : callable
        Maps a tensor of n rows to a tensor of n rows.
    batches : iterable of torch.Tensor
        The batches; at least one.
    n_samples : int
        Number of rows of all batches.

    Returns
    -------
    results : ndarray of shape (n_samples, ...)
        The results, in order.
    """
    results, start = None, 0
    with torch.inference_mode():
        for x in batches:
            found = function(x).cpu().numpy()
            # One array from the beginning: results of batches that are kept until the
            # end lie between the blocks of rows and keep their memory from reuse.
            if results is None:
                results = np.empty((n_samples, *found.shape[1:]), found.dtype)
            results[start : start + len(found)] = found
            start += len(found)
    return results
