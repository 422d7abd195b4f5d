"""Adam: the bits of torch's own, its equations, and a state that goes on where it was taken."""

import numpy as np
import pytest
import torch

from pgcore.learning.optimizer import SLOTS, Adam


@pytest.fixture
def start():
    return torch.randn(3, 100, generator=torch.Generator().manual_seed(0))


def gradients(steps, seed=1):
    return torch.randn(steps, 3, 100, generator=torch.Generator().manual_seed(seed))


def descend(optimizer, rows):
    for i, gradient in enumerate(rows):
        optimizer.lr = 1e-2 / (1 + i)  # as annealing does
        optimizer.flat_grad.copy_(gradient)
        optimizer.step()


def test_it_gives_the_bits_of_torch(start):
    mine = Adam(start.clone(), torch.zeros(3, 100), 1e-2, eps=1e-5)
    theirs = start.clone()
    theirs.grad = torch.zeros(3, 100)
    torch_adam = torch.optim.Adam([theirs], lr=1e-2, eps=1e-5, fused=True)
    descend(mine, gradients(20))
    for i, gradient in enumerate(gradients(20)):
        torch_adam.param_groups[0]["lr"] = 1e-2 / (1 + i)
        theirs.grad.copy_(gradient)
        torch_adam.step()
    assert torch.equal(mine.flat, theirs)
    slots = torch_adam.state[theirs]
    assert torch.equal(mine.exp_avg, slots["exp_avg"])
    assert torch.equal(mine.exp_avg_sq, slots["exp_avg_sq"])
    assert (mine.count == 20).all() and slots["step"] == 20


def test_it_follows_its_equations(start):
    """In float64 the published recursion; the tolerance is float32 over 20 steps."""
    adam = Adam(start.clone(), torch.zeros(3, 100), 1e-2, eps=1e-5)
    descend(adam, gradients(20))
    x, m, v = start.double(), torch.zeros(3, 100), torch.zeros(3, 100)
    for i, g in enumerate(gradients(20).double()):
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        corrected = m / (1 - 0.9 ** (i + 1)), v / (1 - 0.999 ** (i + 1))
        x = x - 1e-2 / (1 + i) * corrected[0] / (corrected[1].sqrt() + 1e-5)
    torch.testing.assert_close(adam.flat.double(), x, rtol=1e-5, atol=1e-6)


def test_a_state_goes_on_to_the_bit(start):
    whole = Adam(start.clone(), torch.zeros(3, 100), 1e-2)
    descend(whole, gradients(10))
    state, parameters = whole.state(), whole.flat.clone()
    kept = {name: array.copy() for name, array in state.items()}
    assert set(state) == set(SLOTS) and all(len(array) == 3 for array in state.values())
    descend(whole, gradients(10, seed=2))
    for name in SLOTS:
        np.testing.assert_array_equal(state[name], kept[name], err_msg=name)  # copies, not views
    other = Adam(parameters, torch.zeros(3, 100), 1e-2)
    other.load_state(state)
    descend(other, gradients(10, seed=2))
    assert torch.equal(other.flat, whole.flat)
    for name in SLOTS:
        np.testing.assert_array_equal(state[name], kept[name], err_msg=name)


def test_a_member_moves_as_it_would_alone(start):
    stack = Adam(start.clone(), torch.zeros(3, 100), 1e-2)
    alone = Adam(start[1:2].clone(), torch.zeros(1, 100), 1e-2)
    descend(stack, gradients(5))
    descend(alone, gradients(5)[:, 1:2])
    assert torch.equal(stack.flat[1:2], alone.flat)
