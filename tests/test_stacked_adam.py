"""K Adams on a tensor axis, against K Adams of torch."""

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given
from torch import nn

from skdeepmix._stacked_adam import StackedAdam

K = 3
TARGETS = torch.arange(K, dtype=torch.float64).view(K, 1, 1) - 0.7


def parameters():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(K, 2, 4, generator=generator, dtype=torch.float64)


def loss(weights, targets):
    return ((weights - targets) ** 4).sum()


@pytest.mark.parametrize("weight_decay", [0.0, 0.3])
def test_with_equal_factors_it_is_adamw(weight_decay):
    stacked, plain = (nn.Parameter(parameters()) for _ in range(2))
    ours = StackedAdam(
        [stacked], 0.1, torch.ones(K, dtype=torch.float64), weight_decay=weight_decay
    )
    theirs = torch.optim.AdamW([plain], 0.1, weight_decay=weight_decay)
    for _ in range(20):
        for weights, optimizer in ((stacked, ours), (plain, theirs)):
            optimizer.zero_grad()
            loss(weights, TARGETS).backward()
            optimizer.step()
    torch.testing.assert_close(stacked, plain)


@given(
    schedule=st.lists(
        st.lists(st.sampled_from([0.0, 0.25, 1.0]), min_size=K, max_size=K),
        min_size=1,
        max_size=12,
    )
)
def test_every_slice_has_an_adam_of_its_own(schedule):
    factors = torch.zeros(K, dtype=torch.float64)
    stacked = nn.Parameter(parameters())
    ours = StackedAdam([stacked], 0.1, factors)
    alone = [nn.Parameter(weights.clone()) for weights in parameters()]
    theirs = [torch.optim.Adam([weights], 0.1) for weights in alone]
    for step in schedule:
        factors.copy_(torch.tensor(step))
        ours.zero_grad()
        loss(stacked, TARGETS).backward()
        ours.step()
        for k, factor in enumerate(step):
            if factor > 0:
                theirs[k].zero_grad()
                loss(alone[k], TARGETS[k]).backward()
                theirs[k].param_groups[0]["lr"] = 0.1 * factor
                theirs[k].step()
    for k in range(K):
        torch.testing.assert_close(stacked[k], alone[k].detach())
