"""Threads of PyTorch and OpenMP where several fits share a process."""

import threading
from contextlib import contextmanager

import torch
from joblib.parallel import get_active_backend
from threadpoolctl import ThreadpoolController

# Runtimes of OpenMP with a number for each thread that calls them. BLAS and the others
# have one for the process, which limits that overlap would leave changed.
OWN_NUMBERS = ["libgomp", "libiomp", "libomp"]


@contextmanager
def one_thread_in_workers():
    """Keep to one thread in a thread of joblib, beside other fits.

    joblib limits what its processes start, but not what its threads do, each of which
    would start as many as there are cores.
    """
    if not _is_worker_thread():
        yield
        return
    torch.get_num_threads()  # sets that of a new thread, once, which must come first
    with ThreadpoolController().select(prefix=OWN_NUMBERS).limit(limits=1):
        yield


def _is_worker_thread():
    if threading.current_thread() is threading.main_thread():
        return False
    backend, _ = get_active_backend()
    return bool(backend.nesting_level)
