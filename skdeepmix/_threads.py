"""Threads of PyTorch, OpenMP and BLAS."""

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


@contextmanager
def one_thread_of_blas():
    """Keep many small products to one thread, which is faster than to share them.

    In the main thread alone: limits of two threads that overlap would leave the number
    of the process changed.
    """
    if not _is_main_thread():
        yield
        return
    with ThreadpoolController().limit(limits=1, user_api="blas"):
        yield


def _is_main_thread():
    return threading.current_thread() is threading.main_thread()


def _is_worker_thread():
    if _is_main_thread():
        return False
    backend, _ = get_active_backend()
    return bool(backend.nesting_level)
