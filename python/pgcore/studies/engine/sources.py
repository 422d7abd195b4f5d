"""What a study looks at: labelled agents, each at its moments, everything about them frozen."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pgcore.agent import Agent
from pgcore.base.errors import check_count, check_flag, check_type
from pgcore.base.seeds import derive_seed
from pgcore.studies.engine.labels import check_one_task, check_trials, find_all, named_sources
from pgcore.studies.engine.moments import (
    AnySources,
    Moment,
    left_out,
    one_trial,
    trial_digest,
    warm,
)
from pgcore.tasks.describe import hidden_state
from pgcore.tasks.task import Task, cached_task
from pgcore.training.checkpoint import Checkpoint
from pgcore.training.warm_up import PAIRS


@dataclass(frozen=True)
class Agents:
    """Labelled agents on one task at their moments.

    Attributes:
        labels, iterations, trials: coordinates; not every combination need be there.
        moments: what there is.
        lowered: how their task is stepped; None: as they were trained. Changes no bit.
        left_out: what is said of trials that have diverged; each is left out from there on.
    """

    labels: tuple[str, ...]
    iterations: tuple[int, ...]
    trials: tuple[int, ...]
    moments: tuple[Moment, ...]
    lowered: bool | None = None
    left_out: str = ""

    @staticmethod
    def of(
        sources: AnySources,
        iterations: Sequence[int] | None = None,
        trials: int | None = None,
        lowered: bool | None = None,
        warm_up: bool = True,
    ) -> Agents:
        """Find and check the agents.

        Args:
            sources: run folders, agent files or :class:`Agent` objects, one, several, or by label.
                ``LABEL=PATH`` is a labelled path. Sources of one label are its trials, in their
                order. Without a label: the algorithm where that is unique, else the name of the
                folder or file.
            iterations: of the runs; None: all that they have kept, but for those where an annealed
                learning rate is 0. Agents that are files or objects have one moment.
            trials: how many, from the first that has not diverged; None: all.
            lowered: see :func:`pgcore.make_task`.
            warm_up: an agent whose observation statistics have seen nothing gets those, and the
                reward scale, that its first iteration gives it, frozen; else it sees observations
                as they are.

        Raises:
            ValueError: nothing there, agents on several tasks, or under one label agents that
                differ in more than their trial, or not at all.
            CheckpointError: a file cannot be used.
        """
        check_flag("warm_up", warm_up)
        if iterations is not None:
            check_type("iterations", iterations, Sequence, "a sequence of integers, or None")
        named = list(named_sources(sources))
        if not named:
            raise ValueError("agents: expected at least one run, file or agent, got none")
        found = find_all(named, iterations)
        if not found:
            raise ValueError("iterations: the runs have kept none that can be studied")
        _check_iterations(found, iterations)
        check_one_task(found)
        check_trials(found)
        out, found = left_out(found), [m for m in found if m.trials]
        found = [warm(m) for m in found] if warm_up else found
        sound = sorted({t for m in found for t in m.trials})
        most = len(sound)
        count = most if trials is None else check_count("trials", trials)
        if count > most or not sound:
            raise ValueError(
                f"trials: expected at most {most}, which the agents have, got {count}"
                + (f"; left out: {out}" if out else "")
            )
        return Agents(
            tuple(dict.fromkeys(m.label for m in found)),
            tuple(sorted({m.iteration for m in found})),
            tuple(sound[:count]),
            tuple(found),
            lowered,
            out,
        )

    @staticmethod
    def together(parts: Sequence[Agents]) -> Agents:
        """Agents that were found apart, such as runs that have not kept the same iterations.

        Raises:
            ValueError: none, or agents on several tasks.
        """
        moments = [m for part in parts for m in part.moments]
        if not moments:
            raise ValueError("agents: expected at least one run, file or agent, got none")
        check_one_task([part.moments[0] for part in parts])  # each part is on one task itself
        return Agents(
            tuple(dict.fromkeys(label for part in parts for label in part.labels)),
            tuple(sorted({i for part in parts for i in part.iterations})),
            tuple(sorted({t for part in parts for t in part.trials})),
            tuple(moments),
            parts[0].lowered,
            "; ".join(dict.fromkeys(part.left_out for part in parts if part.left_out)),
        )

    def moment(self, at: Mapping[str, Any]) -> Moment | None:
        """What holds the trial at some coordinates."""
        for m in self.moments:
            there = (m.label, m.iteration) == (at["agent"], at["iteration"])
            if there and m.first <= at["trial"] < m.first + m.members:
                return m
        return None

    def has(self, at: Mapping[str, Any]) -> bool:
        """Whether there is an agent at some coordinates."""
        moment = self.moment(at)
        return moment is not None and at["trial"] in moment.trials

    def agent(self, at: Mapping[str, Any]) -> Agent:
        """One trial of one agent at one moment."""
        moment = self.moment(at)
        if moment is None:
            raise KeyError(dict(at))
        one = one_trial(moment, at["trial"])
        if self.lowered is None or not isinstance(one.task, Task):
            return one
        return dataclasses.replace(one, task=cached_task(one.task.spec, self.lowered))

    def checkpoint(self, at: Mapping[str, Any]) -> Checkpoint | None:
        """The checkpoint behind an agent; None if it is no run's."""
        moment = self.moment(at)
        return None if moment is None else moment.checkpoint()

    def first_trial(self, at: Mapping[str, Any]) -> int:
        """The number of the first trial of the run, file or object that an agent is from."""
        moment = self.moment(at)
        return 0 if moment is None else moment.first

    def pairs(self, at: Mapping[str, Any]) -> int:
        """Pairs of an iteration of an agent's training; 0 where it is no run's."""
        checkpoint = self.checkpoint(at)
        return 0 if checkpoint is None else checkpoint.config.pairs

    def only(self, iterations: Sequence[int]) -> Agents:
        """The agents at some of their iterations."""
        kept = tuple(m for m in self.moments if m.iteration in iterations)
        known = tuple(i for i in self.iterations if i in iterations)
        return dataclasses.replace(self, moments=kept, iterations=known)

    def identities(self) -> dict[str, str]:
        """What identifies every moment, by its name in a store."""
        return {m.name: m.identity() for m in self.moments}

    def seed(self, at: Mapping[str, Any], seed: int, *purpose: str | int) -> int:
        """A seed from the agent itself and the purpose: never from labels or positions."""
        moment = self.moment(at)
        assert moment is not None
        return derive_seed(seed, trial_digest(moment, at["trial"]), *purpose)

    def every(self) -> Iterator[tuple[dict[str, Any], Agent]]:
        """The first trial of every moment, with its coordinates."""
        for m in self.moments:
            first = m.trials[0]
            yield {"agent": m.label, "iteration": m.iteration, "trial": first}, one_trial(m, first)

    def probe(self) -> Agent:
        """An agent whose speed tells how long a study will take: one late in training."""
        late = max(self.moments, key=lambda m: m.iteration)
        return one_trial(late, late.trials[0])

    def task(self) -> Any:
        """The agents' task."""
        return self.probe().task

    @property
    def task_id(self) -> str:
        """The task's name."""
        return str(self.task().id)

    def check_learning(self, need_algorithm: bool = True) -> None:
        """ValueError where nothing is learned any more, or no algorithm is known."""
        for at, agent in self.every():
            if need_algorithm:
                agent.check_algorithm()
            if agent.rate <= 0:
                raise ValueError(
                    f"iterations: the learning rate of {at['agent']} is 0 at {at['iteration']}, "
                    "the end of its run, and so is its step; choose earlier checkpoints"
                )

    def provenance(self) -> dict[str, Any]:
        """What is simulated, and the seeds of the agents, for a dataset's attributes."""
        first = self.moments[0]
        at = {"agent": first.label, "iteration": first.iteration, "trial": first.trials[0]}
        task = self.agent(at).task
        passes = ", ".join(getattr(task, "passes", ())) or "none"
        seeds = {m.name: m.seeds for m in self.moments if m.seeds is not None}
        made = {"model_sha256": task.model_hash(), "engine_passes": passes, "seeds": seeds}
        if hidden := hidden_state(task):
            made["hidden_state"] = hidden
        said = []
        for of_run, after in (
            (True, "the first iteration's steps"),
            (False, f"{PAIRS} pairs of its own"),
        ):
            those = [m for m in self.moments if m.warm and bool(m.config) == of_run]
            if those:
                names = ", ".join(dict.fromkeys(f"{m.label} at {m.iteration}" for m in those))
                said.append(f"{names}: statistics frozen after {after}")
        if said:
            made["warm_up"] = "; ".join(said)
        if limits := [f"{m.label}: {m.trust}" for m in self.moments if m.trust]:
            made["imported"] = ". ".join(dict.fromkeys(limits))
        return made | ({"trials_left_out": self.left_out} if self.left_out else {})

    @property
    def dims(self) -> dict[str, list[str] | list[int]]:
        """The dimensions that every study of agents begins with."""
        return {
            "agent": list(self.labels),
            "iteration": list(self.iterations),
            "trial": list(self.trials),
        }


def _check_iterations(found: Sequence[Moment], asked: Sequence[int] | None) -> None:
    """ValueError where iterations are asked for of agents that all have one of their own."""
    if not asked or any(m.config for m in found):
        return
    own = {m.label: m.iteration for m in found}
    if not set(own.values()) <= set(asked):
        names = ", ".join(f"{label}: {own[label]}" for label in own)
        raise ValueError(
            f"iterations: expected none, because each agent has its own ({names}) and no run's "
            f"folder is among them, got {list(asked)}"
        )
