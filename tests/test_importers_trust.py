"""How far an import can be trusted: what was checked, and that results go on saying so."""

import io
import json
import warnings
import zipfile

import numpy as np
import pytest
import torch
from scipy import stats

import foreign
import pgcore
from importing import HOPPER, refused, rewritten
from pgcore.cli import main
from pgcore.importers.check import compare, compute
from pgcore.importers.table import import_agent
from pgcore.studies.gradient.report import report_gradient
from report_reading import reported


def imported(capsys, *arguments):
    """What an import prints, and the agent."""
    out = arguments[arguments.index("--out") + 1]
    main(["import", *map(str, arguments), "--trajectories", "2"])
    return capsys.readouterr().out, pgcore.load_agent(out)


def test_a_check_says_what_it_has_seen_of_the_statistics(sb3, tmp_path, capsys):
    """The file's last observation shows whose they are; without them there is no check."""
    file, out = sb3.folder / "ppo.zip", ("--out", tmp_path / "x.safetensors")
    more = ("--task", HOPPER, *out, "--check-with-library")
    text, agent = imported(capsys, file, "--normalizer", sb3.folder / "ppo.pkl", *more)
    assert "statistics: verified: they make of its last observation" in text
    assert "not verified" not in agent.origin["trust"]
    text, _ = imported(capsys, file, "--normalizer", sb3.folder / "a2c.pkl", *more)
    assert "statistics: those of the file given; nothing shows that they are this agent's" in text
    assert "trained with VecNormalize (its file says so)" in refused(capsys, file, *more)
    text, agent = imported(capsys, file, "--reestimate", 300, *more)
    assert "statistics: re-estimated after this check" in text
    assert "re-estimated" in agent.origin["trust"]
    line = refused(capsys, file, *more, "--activation", "relu")
    assert "the file says tanh, got relu" in line
    line = refused(capsys, file, *more, "--reference", "x.npz")
    assert "expected one of them" in line


def test_a_long_first_trajectory_has_no_made_up_return(sb3, tmp_path, capsys):
    """One pair in ten: trajectories of ten pairs or more end neither in the first nor the last."""
    more = ("--task", HOPPER, "--out", tmp_path / "x.safetensors", "--reestimate", 100)
    text, agent = imported(capsys, sb3.folder / "ppo.zip", *more)
    first = agent.origin["reestimated"]["first_tenth_return"]
    assert first is None and "in the first tenth none ended" in " ".join(text.split())


def test_another_optimizer_starts_anew_and_says_so(sb3, tmp_path):
    """Adamax and NAdam have other states than Adam."""
    state = torch.load(
        io.BytesIO(zipfile.ZipFile(sb3.folder / "ppo.zip").read("policy.optimizer.pth")),
        weights_only=True,
    )
    for slots in state["state"].values():
        slots["mu_product"] = torch.ones(())
    raw = io.BytesIO()
    torch.save(state, raw)
    members = {"policy.optimizer.pth": raw.getvalue()}
    other = rewritten(sb3.folder / "ppo.zip", tmp_path / "nadam.zip", **members)
    agent = import_agent(other, HOPPER, trajectories=2)
    assert not agent.optimizer and "plain Adam" in agent.origin["notes"]["optimizer"]


def test_actions_of_other_bounds_are_refused(sb3, tmp_path, capsys):
    data = json.loads(zipfile.ZipFile(sb3.folder / "ppo.zip").read("data"))
    data["action_space"]["high"] = "[5. 5. 5.]"
    bad = rewritten(sb3.folder / "ppo.zip", tmp_path / "a.zip", data=json.dumps(data))
    line = refused(capsys, bad, "--task", HOPPER, "--out", tmp_path / "x")
    assert "high [5.0, 5.0, 5.0], those of Hopper-v4 [1.0, 1.0, 1.0]" in line


def test_returns_are_those_of_the_librarys_own_evaluation(sb3):
    """20 trajectories there and here: the difference lies within the interval of both."""
    from stable_baselines3.common.evaluation import evaluate_policy

    for name in ("ppo", "relu"):
        _, model, vec = getattr(sb3, name)
        agent = import_agent(
            sb3.folder / f"{name}.zip", getattr(sb3, name)[0],
            normalizer=sb3.folder / f"{name}.pkl",
        )  # fmt: skip
        vec.training, vec.norm_reward = False, False
        for kind, deterministic in (("sampled", False), ("mean_action", True)):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # it is not wrapped in a Monitor
                there, _ = evaluate_policy(
                    model, vec, 20, deterministic=deterministic, return_episode_rewards=True
                )
            mean, low, high = agent.origin["check"]["returns"][kind]
            error = np.hypot(stats.sem(there), (high - low) / 2 / stats.t.ppf(0.975, 19))
            # one comparison in 10,000 is farther out by chance
            assert abs(np.mean(there) - mean) < stats.t.ppf(0.99995, 19) * error, (name, kind)
        vec.training, vec.norm_reward = True, True


def test_what_is_not_known_of_an_import_is_said_by_its_studies(sb3, tmp_path):
    agent = import_agent(sb3.folder / "ppo.zip", HOPPER, reestimate_pairs=300, trajectories=2)
    agent.save(tmp_path / "a.safetensors")
    settings = {"pairs": (100,), "estimates": 2, "true_pairs": 400, "true_step_pairs": 200}
    data = pgcore.studies.gradient_quality(
        {"re": tmp_path / "a.safetensors"}, tmp_path / "study", **settings
    )
    report_gradient(data, tmp_path / "study")
    said = (tmp_path / "study" / "summary.txt").read_text()
    assert "imported agents: re: not verified against its library; observation statistics" in said
    assert "re-estimated" in data.attrs["imported"]
    page = reported(tmp_path / "study", tmp_path / "page")
    assert "Imported agents: re: not verified" in page


def test_only_rewards_that_training_divided_get_a_scale(tmp_path):
    """RLlib learns from plain rewards; CleanRL divides them by what its file lacks."""
    folder = foreign.rllib(tmp_path / "c", statistics=False)[0]
    plain = next(folder.rglob("module_state.pkl")).rename(tmp_path / "module_state.pkl")
    divided = foreign.cleanrl(tmp_path / "a.cleanrl_model")[0]
    for path, scaled in ((plain, False), (divided, True)):
        agent = import_agent(path, HOPPER, trajectories=2, reestimate_pairs=200)
        assert agent.normalizer is not None
        assert (agent.reward_std is not None) == scaled
        assert agent.reward_clip == (10.0 if scaled else None)


@pytest.mark.parametrize("library", ["cleanrl", "tianshou"])
def test_values_of_unknown_units_are_said_by_every_study(tmp_path, library):
    """With statistics of the observations, too: the scale is another matter."""
    statistics = tmp_path / "rms.npz"
    np.savez(statistics, mean=np.ones(11), var=np.full(11, 4.0), count=100)
    path = getattr(foreign, library)(tmp_path / "a.pth")[0]
    agent = import_agent(path, HOPPER, trajectories=2, normalizer=statistics)
    assert "scale of its values unknown" in agent.origin["trust"]
    assert ("learning rate that training began with" in agent.origin["trust"]) == (
        library == "cleanrl"
    )


def test_bad_counts_are_found_ahead_of_any_work(tmp_path, capsys):
    for option, value in (("--trajectories", 1), ("--seed", -1), ("--reestimate", 7)):
        more = ("--task", HOPPER, "--out", tmp_path / "x", option, value)
        assert option.strip("-") in refused(capsys, tmp_path / "no such file", *more)


def test_numbers_of_another_task_or_of_nothing_are_no_check(tmp_path):
    agent = import_agent(foreign.skrl(tmp_path / "agent_1.pt")[0], HOPPER, trajectories=2)
    other = pgcore.make_task("Walker2d-v4")
    obs = np.random.default_rng(0).standard_normal((4, other.obs_dim))
    numbers = compute(pgcore.Agent(other, pgcore.GaussianPolicy(other.obs_dim, other.act_dim)), obs)
    with pytest.raises(ValueError, match=r"11 and actions of 3.*got observations \[4, 17\]"):
        compare(agent, numbers)
    with pytest.raises(ValueError, match="some observations"):
        compare(agent, compute(agent, np.zeros((0, 11))))


def test_what_a_file_says_is_not_overruled(tmp_path, capsys):
    """The activation of Spinning Up's module, the library of an exporter's file."""
    out = ("--task", HOPPER, "--out", tmp_path / "x")
    path = foreign.spinning_up(tmp_path / "model.pt")[0]
    line = refused(capsys, path, *out, "--activation", "tanh")
    assert "the file says relu, got tanh" in line
    np.savez(tmp_path / "agent.npz", library="cleanrl", activation="Tanh")
    line = refused(capsys, tmp_path / "agent.npz", *out, "--library", "sb3")
    assert "the file says cleanrl, got sb3" in line
    line = refused(capsys, tmp_path / "agent.npz", *out, "--activation", "relu")
    assert "the file says tanh, got relu" in line


@pytest.mark.parametrize(
    ("name", "value"), [("learning_rate", "abc"), ("num_minibatches", [1]), ("gamma", 7.0)]
)
def test_settings_that_cannot_be_are_refused_in_a_line(tmp_path, capsys, name, value):
    path = foreign.cleanrl(tmp_path / "a.cleanrl_model", table=True)[0]
    content = torch.load(path, weights_only=False)  # the test's own
    content["args"][name] = value
    torch.save(content, path)
    line = refused(capsys, path, "--task", HOPPER, "--out", tmp_path / "x")
    assert "expected a" in line and "the file says so" in line
