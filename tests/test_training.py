"""The loop against one written by hand, its bookkeeping, precision and devices."""

import copy
import re
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from sklearn.metrics import adjusted_rand_score
from torch import nn

from skdeepmix import GaussianMixtureVAE
from skdeepmix._training import (
    BestState,
    Means,
    map_batches,
    resolve_device,
    take_move,
    take_moves,
    uses_bfloat16,
)
from skdeepmix.networks import MLP
from skdeepmix.networks._layers import initialized_linear


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def network():
    generator = torch.Generator().manual_seed(0)
    return nn.Sequential(
        initialized_linear(4, 8, generator),
        nn.Tanh(),
        initialized_linear(8, 1, generator),
    )


@pytest.fixture
def batches():
    return list(draw(10, 6, 4))


def loss_terms(network, x):
    out = network(x)
    return {
        "error": (out - x.sum(1, keepdim=True)).square().mean(),
        "size": out.abs().mean(),
    }


def states_equal(first, second):
    first, second = first.state_dict(), second.state_dict()
    return all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.Adam])
def test_moves_equal_a_loop_by_hand_bit_for_bit(network, batches, kind):
    expected = copy.deepcopy(network)
    optimizer = kind(expected.parameters(), 0.01)
    for x in batches:
        optimizer.zero_grad()
        terms = loss_terms(expected, x)
        (terms["error"] + terms["size"]).backward()
        optimizer.step()

    moves = ((loss_terms(network, x),) for x in batches)
    take_moves(moves, {"all": kind(network.parameters(), 0.01)})
    assert states_equal(network, expected)


def adversarial_moves(critic, generator, batches):
    for x in batches:
        for _ in range(2):
            yield {"critic": critic(generator(x).detach()).mean()}, "critic"
        yield {"generator": -critic(generator(x)).mean()}, "generator"


def test_moves_of_two_players_equal_a_loop_by_hand_bit_for_bit(network, batches):
    critic = network
    generator = initialized_linear(4, 4, torch.Generator().manual_seed(1))
    expected_critic, expected_generator = map(copy.deepcopy, (critic, generator))
    critic_steps = torch.optim.Adam(expected_critic.parameters(), 0.01)
    generator_steps = torch.optim.SGD(expected_generator.parameters(), 0.1)
    for x in batches:
        for _ in range(2):
            critic_steps.zero_grad()
            expected_critic(expected_generator(x).detach()).mean().backward()
            critic_steps.step()
        generator_steps.zero_grad()
        (-expected_critic(expected_generator(x)).mean()).backward()
        generator_steps.step()

    optimizers = {
        "critic": torch.optim.Adam(critic.parameters(), 0.01),
        "generator": torch.optim.SGD(generator.parameters(), 0.1),
    }
    take_moves(adversarial_moves(critic, generator, batches), optimizers)
    assert states_equal(critic, expected_critic)
    assert states_equal(generator, expected_generator)


def one(*move):
    yield move


def test_means_are_over_the_moves_that_had_the_term(network):
    values = [
        ({"often": 1.0, "rare": 5.0},),
        ({"often": 2.0},),
        ({"often": 6.0, "rare": 8.0},),
    ]

    def moves():
        for (terms,) in values:
            zero = 0 * network[0].weight.sum()
            yield ({name: zero + value for name, value in terms.items()},)

    optimizers = {"all": torch.optim.SGD(network.parameters(), 0.01)}
    assert take_moves(moves(), optimizers) == {"often": 3.0, "rare": 6.5}


def test_means_begin_again_when_they_are_read():
    means = Means()
    assert means.read() == {}
    means.add({"loss": torch.tensor(2.0), "guidance": torch.tensor(1.0)})
    means.add({"loss": torch.tensor(4.0)})
    assert means.read() == {"loss": 3.0, "guidance": 1.0}
    means.add({"loss": torch.tensor(7.0)})
    assert means.read() == {"loss": 7.0}


def test_only_players_move_and_nobody_keeps_a_gradient(network, batches):
    before = copy.deepcopy(network)
    optimizers = {
        "first": torch.optim.SGD(network[0].parameters(), 0.1),
        "last": torch.optim.SGD(network[2].parameters(), 0.1),
    }
    take_moves(one(loss_terms(network, batches[0]), "last"), optimizers)
    assert states_equal(network[0], before[0])
    assert not states_equal(network[2], before[2])
    assert all(parameter.grad is None for parameter in network.parameters())


def test_no_name_moves_every_player(network, batches):
    before = copy.deepcopy(network)
    players = {
        "first": torch.optim.SGD(network[0].parameters(), 0.1),
        "last": torch.optim.SGD(network[2].parameters(), 0.1),
    }
    take_moves(one(loss_terms(network, batches[0])), players)
    assert not torch.equal(network[0].weight, before[0].weight)
    assert not torch.equal(network[2].weight, before[2].weight)


def test_a_move_minimises_the_sum_of_its_terms():
    parameter = nn.Parameter(torch.tensor(1.0))
    terms = {"double": 2 * parameter, "triple": 3 * parameter}
    take_move(terms, [torch.optim.SGD([parameter], 0.1)])
    assert float(parameter.detach()) == pytest.approx(0.5)


def test_the_line_after_a_yield_sees_the_step_taken():
    parameter = nn.Parameter(torch.tensor(1.0))
    seen = []

    def moves():
        for _ in range(3):
            yield ({"loss": parameter},)
            seen.append(float(parameter.detach()))

    take_moves(moves(), {"all": torch.optim.SGD([parameter], 1.0)})
    assert seen == [0.0, -1.0, -2.0]


def test_bfloat16_is_the_arithmetic_of_the_forward_pass_alone(network, batches):
    seen = []

    def moves():
        for x in batches:
            out = network(x)
            seen.append(out.dtype)
            yield ({"loss": out.float().square().mean()},)

    means = {}
    for precision in ("bfloat16", "float32"):
        optimizers = {"all": torch.optim.SGD(network.parameters(), 0.0)}
        means[precision] = take_moves(moves(), optimizers, precision)["loss"]
    assert seen == 10 * [torch.bfloat16] + 10 * [torch.float32]
    assert {p.dtype for p in network.parameters()} == {torch.float32}
    assert means["bfloat16"] == pytest.approx(means["float32"], rel=0.02)
    assert means["bfloat16"] != means["float32"]


@pytest.mark.parametrize(
    ("found", "native"),
    [
        ({}, False),
        ({"avx512_f": True, "avx512_bf16": False}, False),
        ({"avx512_bf16": True}, True),
        ({"amx_bf16": True}, True),
    ],
)
def test_auto_is_bfloat16_where_it_is_native(found, native, monkeypatch):
    cpu = torch.device("cpu")
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: found, raising=False)
    assert uses_bfloat16("auto", cpu) is native
    assert uses_bfloat16("bfloat16", cpu)
    assert not uses_bfloat16("float32", cpu)


def test_an_old_gpu_emulates_bfloat16_and_is_left_in_float32(monkeypatch):
    current = []

    @contextmanager
    def device(chosen):
        current.append(chosen.index)
        yield
        current.pop()

    def is_supported(including_emulation=True):
        return including_emulation or current == [1]

    monkeypatch.setattr(torch.cuda, "device", device)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", is_supported)
    assert not uses_bfloat16("auto", torch.device("cuda:0"))
    assert uses_bfloat16("auto", torch.device("cuda:1"))


@pytest.mark.parametrize("name", ["float32", "bfloat16"])
def test_auto_fits_as_what_it_stands_for(name, monkeypatch):
    found = {"avx512_bf16": name == "bfloat16"}
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: found, raising=False)
    X = draw(100, 5).numpy()
    curves = [
        GaussianMixtureVAE(
            2, encoder=MLP((8,)), max_iter=2, precision=precision, random_state=0
        )
        .fit(X)
        .loss_curve_
        for precision in ("auto", name)
    ]
    assert curves[0] == curves[1]


def test_bfloat16_fit_is_close_to_float32():
    X = draw(200, 5).numpy() + np.repeat([[0], [8]], 100, axis=0)
    curves, labels = [], []
    for precision in ("float32", "bfloat16"):
        model = GaussianMixtureVAE(
            2,
            n_latent=2,
            encoder=MLP((8,)),
            max_iter=80,
            precision=precision,
            random_state=0,
        ).fit(X)
        curves.append(model.loss_curve_)
        labels.append(model.labels_)
    assert curves[0] != curves[1]
    np.testing.assert_allclose(*curves, rtol=0.05)
    assert adjusted_rand_score(*labels) >= 0.8


@pytest.fixture
def numbered():
    """A module whose only weight can be set to the number of an epoch."""
    module = nn.Module()
    module.weight = nn.Parameter(torch.zeros(()))
    return module


def play(best, module, losses):
    """Epochs after which `best` wants to stop."""
    stops = []
    for epoch, loss in enumerate(losses):
        with torch.no_grad():
            module.weight.fill_(epoch)
        if best.update(loss):
            stops.append(epoch)
    return stops


def test_best_state_keeps_the_weights_of_the_lowest_loss(numbered):
    best = BestState(numbered, tol=0.0, patience=10)
    play(best, numbered, [5.0, 3.0, 1.0, 2.0, 4.0])
    best.restore()
    assert float(numbered.weight.detach()) == 2


def test_best_state_keeps_a_lower_loss_within_the_tolerance(numbered):
    best = BestState(numbered, tol=0.5, patience=10)
    play(best, numbered, [5.0, 4.9, 4.95])
    best.restore()
    assert float(numbered.weight.detach()) == 1


def test_best_state_keeps_buffers_too(numbered):
    numbered.register_buffer("count", torch.tensor(1))
    best = BestState(numbered, tol=0.0, patience=10)
    best.update(1.0)
    numbered.count += 1
    best.update(2.0)
    best.restore()
    assert numbered.count == 1


def test_best_state_without_an_epoch_restores_nothing(numbered):
    with torch.no_grad():
        numbered.weight.fill_(7.0)
    BestState(numbered, tol=0.0, patience=1).restore()
    assert float(numbered.weight.detach()) == 7


def test_patience_counts_epochs_without_improvement(numbered):
    best = BestState(numbered, tol=0.0, patience=3)
    losses = [5.0, 6.0, 6.0, 4.0, 4.0, 5.0, 4.5, 3.0]
    assert play(best, numbered, losses) == [6]


@pytest.mark.parametrize("size", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("sign", [-1, 1])
def test_tolerance_is_relative_to_the_size_of_the_loss(numbered, size, sign):
    improving = BestState(numbered, tol=0.01, patience=1)
    drops = sign * size * (1 - sign * 0.02 * np.arange(5))
    assert play(improving, numbered, drops) == []
    stale = BestState(numbered, tol=0.01, patience=1)
    drops = sign * size * (1 - sign * 0.005 * np.arange(3))
    assert play(stale, numbered, drops) == [1, 2]


def test_a_nonpositive_loss_can_improve(numbered):
    best = BestState(numbered, tol=0.01, patience=1)
    assert play(best, numbered, [0.0, -1.0, -2.0]) == []


def test_auto_device_is_the_cpu_without_cuda(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert resolve_device("auto") == torch.device("cpu")


def test_auto_device_is_cuda_where_there_is_one(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert resolve_device("auto") == torch.device("cuda")


@pytest.mark.parametrize("device", ["cpu", torch.device("cpu")])
def test_device_by_name_or_object(device):
    assert resolve_device(device) == torch.device("cpu")


@pytest.mark.parametrize("device", ["cuda", "cuda:1", torch.device("cuda")])
def test_cuda_must_be_available(monkeypatch, device):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    message = (
        f"device={device!r} was requested but no CUDA device is available. "
        "Use device='cpu' or device='auto'."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        resolve_device(device)


def test_cuda_device_must_exist(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert resolve_device("cuda:1") == torch.device("cuda:1")
    with pytest.raises(ValueError, match="but there are 2 CUDA devices, counted from"):
        resolve_device("cuda:2")


@pytest.mark.parametrize("device", ["abacus", "", "cpu:x"])
def test_device_must_be_known_to_torch(device):
    message = f"device={device!r} is not a torch device. Use 'auto', 'cpu' or 'cuda'."
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        resolve_device(device)


def test_device_must_be_of_a_kind_that_is_supported():
    with pytest.raises(ValueError, match="is of the type 'meta', which is not supp"):
        resolve_device("meta")


def test_map_batches_keeps_the_order_and_needs_no_gradient():
    weight = nn.Parameter(torch.tensor(2.0))
    batches = draw(7, 3).split(2)
    found = map_batches(lambda x: weight * x, batches, 7)
    np.testing.assert_array_equal(found, 2 * draw(7, 3))
