"""Settings shared by all tests; the environment is set before scipy and torch load."""

import os

os.environ.setdefault("SCIPY_ARRAY_API", "1")
if "PYTEST_XDIST_WORKER" in os.environ:
    # Workers share the cores: more threads than cores are many times slower.
    os.environ["OMP_NUM_THREADS"] = "1"
os.environ.setdefault("MPLBACKEND", "agg")
# Tests mix modules with tensors of their own, which lie on the CPU.
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
# Bars and tables are read as they are printed where there is no terminal.
os.environ.pop("FORCE_COLOR", None)
os.environ.pop("TTY_COMPATIBLE", None)
os.environ.pop("TTY_INTERACTIVE", None)

import hypothesis
import pytest
import torch

if "PYTEST_XDIST_WORKER" in os.environ:
    torch.set_num_threads(1)

hypothesis.settings.register_profile("local", deadline=None, max_examples=25)
hypothesis.settings.register_profile(
    "ci", hypothesis.settings.get_profile("local"), derandomize=True, print_blob=True
)
hypothesis.settings.load_profile("ci" if "CI" in os.environ else "local")


def torch_switches():
    return {
        "number of threads": torch.get_num_threads(),
        "default dtype": torch.get_default_dtype(),
        "gradient mode": torch.is_grad_enabled(),
        "deterministic algorithms": torch.are_deterministic_algorithms_enabled(),
        "cudnn.benchmark": torch.backends.cudnn.benchmark,
        "cudnn.deterministic": torch.backends.cudnn.deterministic,
    }


@pytest.fixture(autouse=True)
def torch_left_as_found():
    """Fail a test after which torch's global state is not what it was.

    A test that draws from the global generator on purpose does so inside
    ``torch.random.fork_rng()``.
    """
    switches, state = torch_switches(), torch.get_rng_state()
    yield
    assert torch_switches() == switches
    same_state = torch.equal(torch.get_rng_state(), state)
    assert same_state, "torch's global random state was changed."
