"""At iteration 0 an agent is judged with the statistics of its first iteration's steps."""

import numpy as np
import pytest

import pgcore
from conftest import make_policy, small_config
from pgcore.policies.normalize import Normalizer
from pgcore.rollout.open_streams import LiveStreams
from pgcore.studies.engine.sources import Agents
from pgcore.training.checkpoint import load_checkpoint
from pgcore.training.run import Run, checkpoint_path
from pgcore.training.trainer import Trainer
from pgcore.training.warm_up import PAIRS, has_seen_nothing

START = {"iteration": 0, "trial": 1}


def test_the_statistics_are_those_that_training_has_after_its_first_iteration(runs):
    """Of every run and trial, to the bit; the policy is that of iteration 0."""
    for run in runs:
        config = load_checkpoint(checkpoint_path(run, 0)).config
        trainer = Trainer(config)
        next(iter(trainer.run()))
        state = trainer.state()
        agents = Agents.of(run, (0, 2))
        for trial in range(config.trials):
            at = {"agent": agents.labels[0], "iteration": 0, "trial": trial}
            agent = agents.agent(at)
            for name in ("count", "mean", "m2"):
                np.testing.assert_array_equal(
                    getattr(agent.normalizer, name)[0], state[f"normalizer.{name}"][trial]
                )
            if config.normalize_rewards:
                count, _, m2, *_ = state["scaler.state"][trial]
                assert agent.reward_std[0] == pytest.approx(np.sqrt(m2 / (count - 1)), rel=1e-14)
            raw = Agents.of(run, (0, 2), warm_up=False).agent(at)
            assert has_seen_nothing(raw)
            np.testing.assert_array_equal(raw.policy.flat, agent.policy.flat)
            assert raw.digest() != agent.digest()
        later = {"agent": agents.labels[0], "iteration": 2, "trial": 0}
        np.testing.assert_array_equal(
            agents.agent(later).normalizer.mean,
            Agents.of(run, (0, 2), warm_up=False).agent(later).normalizer.mean,
        )


def test_an_agent_of_no_run_warms_up_by_itself(tmp_path):
    task = pgcore.make_task("Hopper-v2")
    unseen = pgcore.Agent(task, make_policy(task, 2), normalizer=Normalizer.create(11, 2))
    unseen.save(tmp_path / "new.safetensors")
    for source in (unseen, tmp_path / "new.safetensors"):
        agents = Agents.of({"new": source})
        agent = agents.agent({"agent": "new", **START})
        assert agent.normalizer.count[0] > PAIRS, "terminal observations are seen, too"
        said = agents.provenance()["warm_up"]
        assert said == f"new at 0: statistics frozen after {PAIRS} pairs of its own"
    plain = pgcore.Agent(task, make_policy(task, 2))  # has no statistics to warm up
    assert "warm_up" not in Agents.of({"plain": plain}).provenance()


def test_a_study_says_so_and_keeps_the_two_apart(runs, tmp_path):
    small = {"iterations": (0,), "trials": 1, "pairs": (64,), "estimates": 2}
    small |= {"true_pairs": 128, "true_step_pairs": 128}
    warm = pgcore.studies.gradient_quality(runs[0], tmp_path / "warm", **small)
    raw = pgcore.studies.gradient_quality(runs[0], tmp_path / "raw", warm_up=False, **small)
    assert "ppo at 0: statistics frozen" in warm.attrs["warm_up"] and "warm_up" not in raw.attrs
    assert (warm["gram"].values != raw["gram"].values).any()
    with pytest.raises(ValueError, match="holds another agent as ppo/0"):
        pgcore.studies.gradient_quality(runs[0], tmp_path / "raw", **small)


def test_environments_that_stay_open_in_training_are_closed(tmp_path, monkeypatch):
    config = small_config(task="gym:Pendulum-v1", trials=1, iterations=1, persist=True)
    with Run(tmp_path, config) as run:
        list(run.iterations())
    closed, close = [], LiveStreams.close
    monkeypatch.setattr(LiveStreams, "close", lambda self: (closed.append(self), close(self)))
    agents = Agents.of(tmp_path, (0,))
    agents.agent({"agent": agents.labels[0], "iteration": 0, "trial": 0})
    assert len(closed) == 1
