"""What an agent is told apart by: all that acts, judges and learns, and its task's rules."""

import dataclasses

import numpy as np
import pytest

import pgcore
from pgcore.learning.advantages import Judgement
from pgcore.learning.ppo import PpoSettings
from pgcore.studies.engine.sources import Agents

SMALL = {"pairs": (64,), "estimates": 3, "true_pairs": 256, "true_step_pairs": 128}


def test_a_digest_knows_what_acts_judges_and_learns():
    """Two agents that differ in anything that changes a number are two, in one study, too."""
    task = pgcore.make_task("Hopper-v4")
    policy, value = pgcore.GaussianPolicy(11, 3, (4,)), pgcore.ValueNet(11, (4,))
    relu = pgcore.GaussianPolicy(11, 3, (4,), activation="relu")
    relu.load_flat(policy.flat)
    plain = pgcore.Agent(task, policy, value, algorithm="ppo")
    changes = [
        {"policy": relu},
        {"actions": "clip"},
        {"judgement": Judgement(gamma=0.9)},
        {"settings": PpoSettings(clip=0.1)},
        {"algorithm": "trpo", "settings": None},
        {"rate": 0.5},
        {"reward_std": np.ones(1), "reward_clip": 5.0},
    ]
    agents = [plain, *(dataclasses.replace(plain, **change) for change in changes)]
    assert len({a.digest() for a in agents}) == len(agents)
    assert dataclasses.replace(plain, settings=PpoSettings()).digest() == plain.digest()
    found = Agents.of({f"a{i}": a for i, a in enumerate(agents)})
    for i, agent in enumerate(agents):
        one = found.agent({"agent": f"a{i}", "iteration": 0, "trial": 0})
        assert one.digest() == agent.digest() and one.settings == agent.settings


def same_weights(*specs):
    """One policy and value network on several definitions of a task."""
    policy, value = pgcore.GaussianPolicy(4, 2, (4,)), pgcore.ValueNet(4, (4,))
    return [pgcore.Agent(pgcore.make_task(s), policy, value, algorithm="ppo") for s in specs]


def test_equal_weights_under_other_rules_are_another_agent():
    """Every rule of a task's definition; its names, and where its model lies, are none."""
    spec = pgcore.make_task("LinearQuadratic-v0").spec
    cost = spec.reward[1]
    changes = [
        {"reward": spec.reward[:1]},
        {"reward": (spec.reward[0], pgcore.Term.of(cost.kind, weight=0.2))},
        {"time_limit": 7},
        {"frame_skip": 2},
        {"reset": ()},
        {"observation": spec.observation[::-1]},
        {"termination": (pgcore.Term.of("state_range", low=-100.0, high=100.0),)},
        {"contact_margins": "max"},
    ]
    agents = same_weights(spec, *(dataclasses.replace(spec, **c) for c in changes))
    assert len({a.digest() for a in agents}) == len(agents)
    assert len({a.task.definition_hash() for a in agents}) == len(agents)
    named = dataclasses.replace(spec, id="mine", note="the same", xml=str(spec.xml_path()))
    plain, renamed = same_weights(spec, named)
    assert plain.task.definition_hash() == renamed.task.definition_hash()


def test_an_agent_under_other_rules_is_not_taken_for_the_one_before(tmp_path):
    """In one process and file, in a folder that has begun, beside it, and with built-in ids."""
    spec = pgcore.make_task("LinearQuadratic-v0").spec
    agents = same_weights(spec, dataclasses.replace(spec, reward=spec.reward[:1]))
    few = SMALL | {"largest_step": 64}
    found = []
    for i, agent in enumerate(agents):
        agent.save(tmp_path / "agent.safetensors")
        data = pgcore.studies.gradient_quality(
            tmp_path / "agent.safetensors", tmp_path / str(i), **few
        )
        found.append(data["gram"].values)
    assert not np.array_equal(*found)
    with pytest.raises(ValueError, match="choose another"):
        pgcore.studies.gradient_quality(agents[1], tmp_path / "0", **few)
    with pytest.raises(ValueError, match=r"one set of rules.*in 2 definitions"):
        Agents.of(dict(zip("ab", agents, strict=True)))
    policy, value = pgcore.GaussianPolicy(17, 6, (4,)), pgcore.ValueNet(17, (4,))
    for task in ("Walker2d-v4", "Walker2d-v5"):
        own = Agents.of({"one": pgcore.Agent(task, policy, value)})
        assert own.agent({"agent": "one", "iteration": 0, "trial": 0}).task.id == task
