"""Sources of one label are trials of one agent: seeds that were trained apart."""

import dataclasses
import re
import shutil

import numpy as np
import pytest

import pgcore
from conftest import make_policy, small_config
from pgcore.cli import main
from pgcore.studies.engine.moments import Moment, left_out
from pgcore.studies.engine.sources import Agents
from pgcore.training.checkpoint import load_checkpoint
from pgcore.training.divergence import Divergence
from pgcore.training.run import Run, checkpoint_path

FEW = {"pairs": (64, 128), "estimates": 2, "true_pairs": 128, "true_step_pairs": 128}


def equal(one, other, *without):
    """Whether two datasets have the same numbers and coordinates, to the bit."""
    assert set(one.data_vars) == set(other.data_vars)
    for name in set(one.variables) - set(without):
        np.testing.assert_array_equal(one[name].values, other[name].values, err_msg=name)


@pytest.fixture(scope="module")
def files(runs, tmp_path_factory):
    """An agent of two trials: in one file, and each in one of its own."""
    folder = tmp_path_factory.mktemp("seeds")
    agent = load_checkpoint(checkpoint_path(runs[0], 2)).agent()
    agent.save(folder / "both.safetensors")
    for trial in range(2):
        agent.select(trial).save(folder / f"{trial}.safetensors")
    return folder


def test_files_of_single_trials_are_studied_like_one_that_has_them_all(files, tmp_path, capsys):
    """Bits, seeds and what a report says; and in steps, the second one later."""
    both = pgcore.studies.gradient_quality(
        {"ppo": files / "both.safetensors"}, tmp_path / "b", **FEW
    )
    assert both.sizes["trial"] == 2 and both["run_trial"].notnull().all()
    seeds = [files / f"{trial}.safetensors" for trial in range(2)]
    apart = pgcore.studies.gradient_quality({"ppo": seeds}, tmp_path / "a", **FEW)
    equal(apart, both)
    first = pgcore.studies.gradient_quality({"ppo": seeds[:1]}, tmp_path / "later", **FEW)
    assert first.sizes["trial"] == 1
    options = "--pairs 64 128 --estimates 2 --true-pairs 128 --true-step-pairs 128"
    named = [f"ppo={seed}" for seed in seeds]
    command = ["study", "gradient", *named, "--out", str(tmp_path / "later"), *options.split()]
    main([*command, "--dry-run"])
    planned = re.findall(r"gradient Hopper-v2: (\d+) of (\d+) cells", capsys.readouterr().out)
    assert planned == [("1", "2"), ("2", "4")], "what there is of the first trial stays"
    main(command)
    equal(pgcore.open(tmp_path / "later"), both)
    main(["report", str(tmp_path / "later"), "--out", str(tmp_path / "page")])
    page = (tmp_path / "page" / "report.html").read_text()
    assert "<td>2, from trial 1</td>" in page
    with pytest.raises(ValueError, match="holds another agent as ppo/2; choose"):
        pgcore.studies.gradient_quality({"ppo": seeds[::-1]}, tmp_path / "later", **FEW)


def test_runs_of_one_label_bring_the_pairs_that_they_were_trained_on(tmp_path):
    """Each of its own trials: errors of the trained value on training pairs are those alone."""
    runs = [tmp_path / f"seed{seed}" for seed in (0, 1)]
    for seed, run in enumerate(runs):
        with Run(run, small_config(seed=seed, trials=2, keep=(2,))) as training:
            list(training.iterations())
    few = {"iterations": (2,), "variance_iterations": (), "held_out_pairs": 128}
    data = pgcore.studies.value_prediction({"ppo": runs}, tmp_path / "value", **few)
    assert data["trial"].values.tolist() == [0, 1, 2, 3]
    np.testing.assert_array_equal(data["run_seed"].values.ravel(), [0, 0, 1, 1])
    np.testing.assert_array_equal(data["run_trial"].values.ravel(), [0, 1, 0, 1])
    for i, run in enumerate(runs):
        alone = pgcore.studies.value_prediction({"ppo": run}, tmp_path / f"alone{i}", **few)
        own = data["error"].isel(trial=slice(2 * i, 2 * i + 2))
        assert alone["error"].sel(set="train").notnull().any()
        np.testing.assert_array_equal(own.values, alone["error"].values)


def test_what_is_no_other_trial_is_refused(files, runs, tmp_path):
    first = pgcore.load_agent(files / "0.safetensors")
    other = pgcore.load_agent(files / "1.safetensors")
    for wrong, says in (
        ([files / "0.safetensors", first], "'a' is given one agent twice"),
        ([runs[0], runs[0]], "'a' is given one agent twice"),
        ([runs[0], runs[1]], "trials of 'a' differ in algorithm, settings"),
        ([first, dataclasses.replace(other, reward_clip=1.0)], "differ in reward_clip;"),
        ([first, dataclasses.replace(other, normalizer=None)], "differ in statistics;"),
        ([], "expected at least one of 'a', got none"),
    ):
        with pytest.raises(ValueError, match=says):
            Agents.of({"a": wrong})
    settings = dataclasses.replace(other.settings, policy_lr=0.1)
    with pytest.raises(ValueError, match="differ in settings; agents to be compared have labels"):
        Agents.of({"a": [first, dataclasses.replace(other, settings=settings)]})
    small = dataclasses.replace(
        other, policy=make_policy(other.task, 1, (5,)), optimizer={}, algorithm=None, settings=None
    )
    with pytest.raises(ValueError, match="differ in algorithm, settings, policy network;"):
        Agents.of({"a": [first, small]})


def test_trials_that_diverged_have_their_own_numbers():
    lost = (Divergence(1, 5, "loss"),)
    second = Moment("a", 7, 3, "path", "digest", lost=lost, first=3)
    assert second.trials == (3, 5) and second.name == "a/7 from trial 3"
    assert "trial 4" in left_out([second])


def trained(folder, **changes):
    with Run(folder, small_config(keep=(0, 2), **changes)) as run:
        list(run.iterations())
    return folder


def test_a_trial_that_two_runs_have_is_one_agent(tmp_path):
    """Of a pilot and a longer list of trials: seed 0 is the default of both."""
    pilot, more = trained(tmp_path / "pilot", trials=1), trained(tmp_path / "more", trials=2)
    rest = trained(tmp_path / "rest", trials=1, first_trial=1)
    with pytest.raises(ValueError, match="'ppo' is given one agent twice"):
        Agents.of({"ppo": [pilot, more]}, (2,))
    assert Agents.of({"ppo": [pilot, rest]}, (2,)).trials == (0, 1)
    # from nowhere that is known: by what they hold
    one, both = (load_checkpoint(checkpoint_path(r, 2)).agent() for r in (pilot, more))
    nameless = [dataclasses.replace(a, origin={}) for a in (both, both.select(1))]
    with pytest.raises(ValueError, match="'ppo' is given one agent twice"):
        Agents.of({"ppo": nameless})
    assert one.members == 1


@pytest.mark.parametrize(
    ("changes", "names"),
    [({"pairs": 256}, "pairs"), ({"pairs": 256, "streams": 2}, "pairs, streams"),
     ({"persist": True}, "persist"), ({"anneal": True}, "anneal, iterations")],
)  # fmt: skip
def test_trials_were_trained_alike(tmp_path, changes, names):
    """All but the seed; how long, only where a rate falls over it."""
    runs = [trained(tmp_path / "a", trials=1), trained(tmp_path / "b", trials=1, seed=1, **changes)]
    with pytest.raises(ValueError, match=f"'ppo' were trained with other {names};"):
        Agents.of({"ppo": runs}, (0,))
    longer = trained(tmp_path / "c", trials=1, seed=2, iterations=3)
    assert Agents.of({"ppo": [runs[0], longer]}, (2,)).trials == (0, 1)


def test_another_run_is_no_later_moment_of_the_first(tmp_path):
    """A run that was trained again in its place, at an iteration that the store lacks."""
    run = trained(tmp_path / "run", trials=1)
    pgcore.studies.gradient_quality({"ppo": run}, tmp_path / "study", iterations=(2,), **FEW)
    shutil.rmtree(run)
    trained(run, trials=1, seed=7, normalize_obs=False)
    with pytest.raises(ValueError, match="holds ppo/2 of another run than ppo/0; choose"):
        pgcore.studies.gradient_quality({"ppo": run}, tmp_path / "study", iterations=(0,), **FEW)
    longer = tmp_path / "longer"
    trained(longer, trials=1)
    config = small_config(keep=(0, 2), trials=1, iterations=5)
    with Run(longer, config, resume=True) as again:
        list(again.iterations())
    grown = pgcore.studies.gradient_quality(
        {"ppo": longer}, tmp_path / "study", iterations=(0,), **FEW
    )
    assert grown["iteration"].values.tolist() == [0, 2]
