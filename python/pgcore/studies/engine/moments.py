"""An agent at one moment: found in what a user gives, labelled, and read when it is needed."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pgcore.agent import Agent
from pgcore.agent_file import load_agent
from pgcore.base.errors import CheckpointError, check_path, check_type
from pgcore.studies.engine.identities import MADE_AS, OF_RUN, moment_name
from pgcore.training.checkpoint import Checkpoint, load_checkpoint
from pgcore.training.divergence import (
    NONE,
    Divergence,
    divergences,
    finite_rows,
    no_marks,
    reward_terms,
)
from pgcore.training.run import checkpoint_path, kept_iterations
from pgcore.training.warm_up import has_seen_nothing, warmed_up

Source = str | Path | Agent
AnySources = Source | Sequence[Source] | Mapping[str, Source | Sequence[Source]]


@functools.lru_cache(maxsize=8)
def cached_checkpoint(path: str, digest: str, config: str) -> Checkpoint:
    """By the digests of its arrays and of its settings, which another run may have there later."""
    checkpoint = load_checkpoint(path)
    if (checkpoint.digest, checkpoint.config.digest()) != (digest, config):
        raise CheckpointError(f"checkpoint: {path} changed since the study was planned")
    return checkpoint


@functools.lru_cache(maxsize=8)
def _cached_agent(path: str, digest: str, config: str, task: str) -> Agent:
    agent = cached_checkpoint(path, digest, config).agent() if config else load_agent(path)
    if not config and (agent.digest(), agent.task.definition_hash()) != (digest, task):
        raise CheckpointError(f"agent: {path} changed since the study was planned")
    return agent


@dataclass(frozen=True)
class Moment:
    """One labelled agent at one iteration; small, so that a worker can have it.

    Attributes:
        label, iteration: what it is called and when.
        members: trials that it holds.
        first: number of its first trial: not 0 where others have the label, too.
        path, digest: of its file.
        config: digest of the settings of the run whose checkpoint the file is; "": it is none's.
        lost: trials that have diverged by then, which are not studied.
        task: the hash of its task's definition, by which equal weights on two tasks are told apart.
        seeds: the seed of the run that made it, and its trials in that run; None: not known.
        inline: the agent itself, where it comes from no file.
        warm: its statistics are those that its first iteration gives it.
        trust: what limits every result of an imported agent; "" if nothing is known to.
        training: the hash of the run's recipe, seed and trials, one for all its iterations.
    """

    label: str
    iteration: int
    members: int
    path: str
    digest: str
    config: str = ""
    inline: Agent | None = field(default=None, compare=False)  # its digest says what it is
    lost: tuple[Divergence, ...] = ()
    warm: bool = False
    task: str = ""
    seeds: tuple[int, tuple[int, ...]] | None = None
    trust: str = ""
    first: int = 0
    training: str = ""

    @property
    def name(self) -> str:
        """What a store calls it."""
        return moment_name(self.label, self.iteration, self.first)

    @property
    def trials(self) -> tuple[int, ...]:
        """The numbers of its trials, but for those that have diverged."""
        out = [d.trial for d in self.lost]
        return tuple(self.first + t for t in range(self.members) if t not in out)

    def identity(self) -> str:
        """What tells it from others in a store: its arrays, and all that they do not say.

        Two runs of one seed have equal arrays before their first iteration.
        """
        own = self.digest + (" warmed up" if self.warm else "")
        made = f"{own}{MADE_AS}{_agents_digest(self)[:16]}"
        return made + (f"{OF_RUN}{self.training[:16]}" if self.training else "")

    def checkpoint(self) -> Checkpoint | None:
        """The one of the run that it is from; None where it is no run's."""
        return cached_checkpoint(self.path, self.digest, self.config) if self.config else None

    def agent(self) -> Agent:
        """All its trials."""
        return self.inline or _cached_agent(self.path, self.digest, self.config, self.task)


@functools.lru_cache(maxsize=256)
def one_trial(moment: Moment, trial: int) -> Agent:
    own = trial - moment.first
    agent = moment.agent().select(own)
    if not moment.warm:
        return agent
    return warmed_up(agent, moment.checkpoint(), own)


@functools.lru_cache(maxsize=4096)
def _agents_digest(moment: Moment) -> str:
    return moment.agent().digest()


@functools.lru_cache(maxsize=4096)
def trial_digest(moment: Moment, trial: int) -> str:
    return one_trial(moment, trial).digest()


def find_moments(
    name: str | None, source: Source, iterations: Sequence[int] | None
) -> list[Moment]:
    """The moments of a source; the label is the one given, or one that may be replaced."""
    check_type("agents", source, str | Path | Agent, "run folders, agent files or agents")
    check_type("agents", name, str | None, "labels that are texts")
    if isinstance(source, Agent):
        return [dataclasses.replace(_moment_of(name, source, ""), inline=source)]
    path = check_path("agents", source).resolve()
    if path.is_file():
        return [_moment_of(name, load_agent(path), str(path))]
    wanted = kept_iterations(path) if iterations is None else list(dict.fromkeys(iterations))
    if not wanted:
        raise ValueError("iterations: expected at least one, got none")
    found = [load_checkpoint(checkpoint_path(path, i)) for i in wanted]
    if iterations is None:
        found = [c for c in found if c.config.remaining(c.iteration) > 0]
    return [
        Moment(
            name or "",
            c.iteration,
            c.config.trials,
            str(c.path),
            c.digest,
            config=c.config.digest(),
            lost=lost_trials(c),
            seeds=(c.config.seed, tuple(c.config.trial_numbers)),
            training=c.config.training(),
        )
        for c in found
    ]


def _moment_of(name: str | None, agent: Agent, path: str) -> Moment:
    return Moment(
        name or "",
        agent.iteration,
        agent.members,
        path,
        agent.digest(),
        task=agent.task.definition_hash(),
        seeds=_seeds_of(agent),
        trust=str(agent.origin.get("trust", "")),
    )


def _seeds_of(agent: Agent) -> tuple[int, tuple[int, ...]] | None:
    """What an agent's origin says of the run that made it."""
    seed, trials = (agent.origin.get(name) for name in ("seed", "trials"))
    if not isinstance(seed, int) or not isinstance(trials, list) or len(trials) != agent.members:
        return None
    return seed, tuple(int(t) for t in trials)


def lost_trials(checkpoint: Checkpoint) -> tuple[Divergence, ...]:
    """The trials of a run that have diverged by a checkpoint."""
    M, state = checkpoint.config.trials, checkpoint.state
    marks = state.get("diverged", no_marks(M))
    terms = reward_terms(checkpoint.task()) if (marks[:, 0] != NONE).any() else []
    lost = {d.trial: d for d in divergences(marks, terms)}
    for trial in np.flatnonzero(~finite_rows([state["policy.flat"]], M)):  # of an older pgcore
        lost.setdefault(int(trial), Divergence(int(trial), checkpoint.iteration, "parameter"))
    return tuple(lost[trial] for trial in sorted(lost))


def warm(moment: Moment) -> Moment:
    """The moment with statistics of its first iteration, if it has none yet."""
    return dataclasses.replace(moment, warm=has_seen_nothing(moment.agent()))


def left_out(found: Sequence[Moment]) -> str:
    """What is said of trials that have diverged."""
    lost = [(m, d) for m in found for d in m.lost]
    lines = [f"{m.label}: {dataclasses.replace(d, trial=m.first + d.trial)}" for m, d in lost]
    return "; ".join(dict.fromkeys(lines))
