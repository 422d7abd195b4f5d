"""How long does an update take, against the plain way: autograd and torch.optim.Adam on the stack?

Table 1's settings for Hopper-v2 (2048 pairs, 10 passes of 32 minibatches for policy and value), on
one thread, the pairs of an untrained policy. The plain way has the same stack, the same minibatches
and the same losses; what it lacks are closed-form gradients, layouts, and an optimiser without
ceremony. Both must end at the same parameters, within a thousandth of the way they went.
Times are of the thread's own, so that neighbours on the machine count less.
"""

from __future__ import annotations

import copy
import time

import numpy as np
import torch
from timing import check, header, report
from torch import Tensor

from pgcore.learning import objectives
from pgcore.learning.data import Minibatches, Orders, TrainingData
from pgcore.learning.ppo import POLICY_ORDER
from pgcore.learning.value import VALUE_ORDER
from pgcore.policies.distribution import Gaussian
from pgcore.policies.stack import StackedMlp
from pgcore.tasks.make import make_task
from pgcore.training.block import Block
from pgcore.training.config import TrainConfig
from pgcore.training.presets import preset_config


def plain_mlp(tensors: list[Tensor], x: Tensor) -> Tensor:
    """Outputs [M, B, out] of a tanh network, as a torch user writes them for a stack."""
    for layer in range(0, len(tensors), 2):
        x = torch.baddbmm(tensors[layer + 1].unsqueeze(1), x, tensors[layer])
        x = torch.tanh(x) if layer + 2 < len(tensors) else x
    return x


def plain_descent(network: StackedMlp, rate: float, eps: float, orders: Minibatches, loss) -> None:
    """Adam on the parameters; ``loss`` takes a minibatch's indices [M, B, 1]."""
    parameters = list(network.tensors)
    optimizer = torch.optim.Adam(parameters, lr=rate, eps=eps, fused=True)
    for epoch in range(orders.epochs):
        for chosen in orders.order[:, epoch].chunk(orders.count, dim=1):
            optimizer.zero_grad()
            loss(parameters, chosen.unsqueeze(-1)).backward()
            optimizer.step()


def plain_update(agents: Block, data: TrainingData, config: TrainConfig) -> None:
    """The update of :meth:`Block.update` by autograd."""

    def rows(x: Tensor, chosen: Tensor) -> Tensor:
        return torch.gather(x, 1, chosen.expand(-1, -1, x.shape[2]))

    def policy_loss(parameters: list[Tensor], chosen: Tensor) -> Tensor:
        mean = plain_mlp(parameters[:-1], rows(data.inputs, chosen))
        there = Gaussian(mean, parameters[-1].unsqueeze(1))
        log_prob = there.log_prob(rows(data.actions, chosen))
        old = data.log_probs.gather(1, chosen.squeeze(-1))
        a = objectives.normalize_advantages(data.advantages.gather(1, chosen.squeeze(-1)))
        return -objectives.clipped_surrogate(torch.exp(log_prob - old), a, config.clip).sum()

    def value_loss(parameters: list[Tensor], chosen: Tensor) -> Tensor:
        values = plain_mlp(parameters, rows(data.inputs, chosen)).squeeze(-1)
        old, targets, weights = (
            x.gather(1, chosen.squeeze(-1)) for x in (data.values, data.targets, data.weights)
        )
        return objectives.value_loss(values, old, targets, weights, config.value_clip).sum()

    for network, rate, purpose, epochs, loss in (
        (agents.policy, config.policy_lr, POLICY_ORDER, config.policy_epochs, policy_loss),
        (agents.value, config.value_lr, VALUE_ORDER, config.value_epochs, value_loss),
    ):
        orders = Orders(config.seed, agents.trials, 0).minibatches(
            purpose, epochs, config.minibatches, config.pairs
        )
        plain_descent(network, rate, config.adam_eps, orders, loss)


def block(trials: int) -> tuple[Block, TrainingData, TrainConfig]:
    """Untrained agents and their first pairs."""
    values = preset_config("paper", "Hopper-v2", "ppo").to_dict() | {"trials": trials}
    config = TrainConfig.from_dict(values)
    agents = Block(make_task("Hopper-v2"), config, list(range(trials)))
    return agents, agents.training_data(agents.rollout(0, 1)), config


def check_equal(trials: int) -> None:
    """Both ways lead from the same parameters to the same ones; float32, over 640 steps."""
    agents, data, config = block(trials)
    other = copy.deepcopy(agents)
    start = [n.flat.clone() for n in (agents.policy, agents.value)]
    agents.update(data, 0)
    plain_update(other, data, config)
    for name, mine, theirs, begin in zip(
        ("policies", "value networks"),
        (agents.policy, agents.value),
        (other.policy, other.value),
        start,
        strict=True,
    ):
        rows = torch.cat([t.detach().flatten(1) for t in theirs.tensors], dim=1)
        way = (mine.flat - begin).norm(dim=1)
        error = float(((mine.flat - rows).norm(dim=1) / way).max())
        print(f"{trials} members, {name}: apart by {error:.1e} of the way")
        check(error < 1e-3, f"the {name}")


def main() -> None:
    header(__doc__.splitlines()[0])
    torch.set_num_threads(1)
    for trials in (1, 4, 12):
        check_equal(trials)
        agents, data, config = block(trials)
        other = copy.deepcopy(agents)
        contenders = {
            "pgcore": lambda: agents.update(data, 0),
            "autograd": lambda: plain_update(other, data, config),
        }
        seconds: dict[str, list[float]] = {name: [] for name in contenders}
        for _ in range(5):  # interleaved
            for name, update in contenders.items():
                start = time.thread_time()
                update()
                seconds[name].append(time.thread_time() - start)
        times = {name: np.array(values) for name, values in seconds.items()}
        report(f"{trials} members", times, trials, "trial")


if __name__ == "__main__":
    main()
