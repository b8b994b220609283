"""Steps that are recorded once an epoch as a CUDA graph, and replayed.

A step of small networks is a few hundred kernels of some microseconds, which take
longer to launch than to run. A graph launches them all at once.
"""

import os
import threading
from contextlib import contextmanager

import torch

# Set to 1, fits on a CUDA device record and replay their steps.
SWITCH = "SKDEEPMIX_CUDA_GRAPHS"


def set_up(module, data, optimizers):
    """Have the steps of a module replayed, where that is wanted.

    Parameters
    ----------
    module : LatentModule
        What is trained.
    data : Rows
        Rows.
    optimizers : dict of str to torch.optim.Optimizer
        The players by name, before their first step. Those that can be told so will
        keep all that changes from step to step on the device.
    """
    module.replays = Replays(module.generator) if wanted(data) else None
    if module.replays is not None:
        for optimizer in optimizers.values():
            for group in optimizer.param_groups:
                if "capturable" in group:
                    group["capturable"] = True


def wanted(data):
    """Whether steps are to be replayed.

    Parameters
    ----------
    data : Rows
        Rows.

    Returns
    -------
    wanted : bool
        If the environment variable says so, the rows lie on a CUDA device, and this is
        the main thread: a process can record but one graph at a time.
    """
    return (
        os.environ.get(SWITCH) == "1"
        and data.device.type == "cuda"
        and data.resident
        and threading.current_thread() is threading.main_thread()
    )


class CudaGraph:
    """Kernels of a step, and their addresses.

    Parameters
    ----------
    generator : torch.Generator
        Whose draws are to be new at every replay.
    """

    def __init__(self, generator):
        self._device = generator.device
        with torch.cuda.device(self._device):
            self._graph = torch.cuda.CUDAGraph()
            self._graph.register_generator_state(generator)

    @contextmanager
    def recording(self):
        """Record what is launched, without running it."""
        with torch.cuda.device(self._device):
            stream = torch.cuda.Stream()
            # The outer one restores the stream, should a recording fail to end.
            with torch.cuda.stream(stream), torch.cuda.graph(self._graph, None, stream):
                yield

    def replay(self):
        """Run what was recorded."""
        with torch.cuda.device(self._device):
            self._graph.replay()


class Replays:
    """Moves of batches of equal size, recorded once an epoch and replayed.

    The first epoch is played move by move, so that optimizers and losses have made
    what they keep: every loss and every gradient has to be there in it. Numbers of the
    host, such as step sizes, are recorded as they are: they change from epoch to epoch
    alone, and every epoch is recorded anew.

    Parameters
    ----------
    generator : torch.Generator
        Source of noise of the steps.
    """

    def __init__(self, generator):
        self.generator = generator
        self._played_before = False

    def play(self, moves_of, batches):
        """Yield the moves of each size of batches once, and replay the others.

        Parameters
        ----------
        moves_of : callable
            From the indices of a batch to its moves. It must not read from the device
            or decide by what a batch holds.
        batches : iterable of torch.Tensor
            Indices of the batches.

        Yields
        ------
        move : tuple
            Terms and players, whose step is taken when the generator resumes.
        """
        if not self._played_before:
            self._played_before = True
            for rows in batches:
                yield from moves_of(rows)
            return
        recorded = {}
        for rows in batches:
            if len(rows) not in recorded:
                graph, place = CudaGraph(self.generator), rows.clone()
                with graph.recording():
                    yield from moves_of(place)
                recorded[len(rows)] = graph, place
            graph, place = recorded[len(rows)]
            place.copy_(rows)
            graph.replay()
