"""`pgcore import`: another library's agent as a file of pgcore."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from pgcore.agent import Agent
from pgcore.base.command import one_of, parse
from pgcore.base.errors import check_new_file
from pgcore.base.files import check_replaces
from pgcore.importers.check import lines
from pgcore.importers.export_snippet import exporter
from pgcore.importers.table import READERS, import_agent
from pgcore.policies.mlp import ACTIVATIONS


@dataclass(frozen=True)
class Command:
    """Read an agent of another library; nothing in its files is executed.

    Libraries: sb3 (with sb3-contrib), cleanrl, spinning_up, tianshou, torchrl, rllib, skrl,
    rl_games, rsl_rl.
    """

    source: Annotated[Path | None, tyro.conf.Positional, tyro.conf.arg(metavar="FILE")] = None
    """Its file, or RLlib's checkpoint folder."""
    task: str | None = None
    """Task that it acts in: an id, or a task file (arm.toml)."""
    out: Annotated[str | None, tyro.conf.arg(metavar="FILE")] = None
    """Where the agent is written, such as agent.safetensors."""
    normalizer: Path | None = None
    """File of its observation statistics, such as vecnormalize.pkl."""
    library: Annotated[str | None, one_of(READERS)] = None
    """Name of the library. Default: found out."""
    activation: Annotated[str | None, one_of(ACTIVATIONS)] = None
    """Activation of its networks, where the file does not say."""
    reestimate: int = 0
    """Pairs on which statistics that the file lacks are estimated anew; 0: not."""
    reference: Path | None = None
    """Numbers that the exporter stored, to check the agent against."""
    check_with_library: bool = False
    """Check the agent against the library installed here (sb3)."""
    trajectories: int = 20
    """Trajectories whose returns are measured."""
    seed: int = 0
    """Of the check's trajectories."""
    exporter: Annotated[str | None, one_of(READERS)] = None
    """Print a script that stores an agent of this library, for where the agent lives."""


def describe(agent: Agent) -> str:
    """What was found, in a few lines."""
    origin, policy = agent.origin, agent.policy
    widths = " x ".join(map(str, policy.hidden)) or "linear"
    normalizer = agent.normalizer
    seen = origin.get("observations_seen")
    statistics = "none"
    if normalizer is not None:
        bound = "no clip" if normalizer.clip is None else f"clip {normalizer.clip:g}"
        count = "" if seen is None else f", of {seen:.0f} observations"
        statistics = f"frozen, {bound}{count}"
        if "reestimated" in origin:
            statistics = f"RE-ESTIMATED, {bound}"
    rewards = "plain"
    if agent.reward_std is not None:
        rewards = f"divided by {agent.reward_std[0]:.4g}, clip {agent.reward_clip}"
    value = "none" if agent.value is None else " x ".join(map(str, agent.value.hidden)) or "linear"
    said = [
        f"agent       {origin['library']}, {origin['source']}; {agent.task.id}",
        f"policy      {widths}, {policy.activation}; actions {agent.actions}",
        f"value       {value}",
        f"normalizer  {statistics}",
        f"rewards     {rewards}; gamma {agent.judgement.gamma}, lambda {agent.judgement.lam}",
    ]
    if agent.algorithm is not None:
        values = dataclasses.asdict(agent.settings)
        said.append(
            f"algorithm   {agent.check_algorithm().name}: "
            + ", ".join(f"{k} {v}" for k, v in values.items())
        )
        said.append(f"optimizer   {_optimizer(agent)}")
    said += [f"note        {name}: {text}" for name, text in origin["notes"].items()]
    return "\n".join([*said, *lines(origin["check"])])


def _optimizer(agent: Agent) -> str:
    if not agent.optimizer:
        return "from the start"
    return f"Adam after {float(agent.optimizer['step'][0]):.0f} steps"


def main(arguments: Sequence[str]) -> None:
    """Parse, read, check, write; the caller turns errors into one line."""
    command = parse(Command, "pgcore import", arguments)
    if command.exporter is not None:
        if command != dataclasses.replace(Command(), exporter=command.exporter):
            raise ValueError("--exporter LIBRARY: expected nothing beside it; it prints a script")
        print(exporter(command.exporter, list(READERS)), end="")
        return
    if command.source is None or command.task is None or command.out is None:
        raise ValueError("expected SOURCE --task TASK --out FILE, or --exporter LIBRARY")
    out = check_new_file("out", command.out)
    check_replaces(out, "agent", "out")  # ahead of the checks' work
    agent = import_agent(
        command.source,
        command.task,
        normalizer=command.normalizer,
        library=command.library,
        activation=command.activation,
        reestimate_pairs=command.reestimate,
        reference=command.reference,
        check_with_library=command.check_with_library,
        trajectories=command.trajectories,
        seed=command.seed,
    )
    agent.save(out)
    print(describe(agent))
    print(f"written     {out}")
