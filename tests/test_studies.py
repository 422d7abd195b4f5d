"""Studies: correct numbers, the same bits however they are run, and nothing computed twice."""

import dataclasses
import multiprocessing
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

import pgcore
from conftest import assert_same_dataset
from pgcore.checkpoint import load_checkpoint
from pgcore.studies import figures, statistics
from pgcore.studies.agent import Agent
from pgcore.studies.cells import StudyError, describe_plan, run_plan, run_plans
from pgcore.studies.estimates import sum_gradients
from pgcore.studies.gradient import GradientStudy, describe_gradient, open_gradient
from pgcore.studies.landscape import open_landscape
from pgcore.studies.sampling import Sampling, gradient_sums, sample_blocks
from pgcore.studies.store import open_study
from pgcore.train import checkpoint_path

SMALL = {
    "iterations": (0, 2),
    "pairs": (64, 256),
    "estimates": 4,
    "true_pairs": 512,
    "true_step_pairs": 256,
    "largest_step": 64,
}


def test_gradient_of_a_batch_equals_float64_autograd(runs):
    checkpoint = load_checkpoint(checkpoint_path(runs[0], 2))
    agent = Agent.of(checkpoint, 1)
    batch = pgcore.collect(
        agent.task, agent.policy, 200, streams=3, normalizer=agent.normalizer, seed=1
    )
    advantages = np.random.default_rng(0).standard_normal(batch.rewards.shape)
    got = gradient_sums(agent.policy, batch.inputs, batch.actions, advantages)
    tensors = [t.detach().double().requires_grad_() for t in agent.policy.tensors]
    for s in range(3):
        log_prob = agent.policy.log_prob(
            torch.from_numpy(batch.inputs[s]).double()[None],
            torch.from_numpy(batch.actions[s]).double()[None],
            tensors,
        )
        total = (log_prob[0] * torch.from_numpy(advantages[s])).sum()
        expected = torch.cat([g.reshape(-1) for g in torch.autograd.grad(total, tensors)])
        error = np.linalg.norm(got[s] - expected.numpy()) / np.linalg.norm(expected.numpy())
        assert error < 1e-6


def test_estimates_do_not_depend_on_each_other(runs):
    """The first estimates are the same when more are asked for."""
    agent = Agent.of(load_checkpoint(checkpoint_path(runs[0], 2)), 0)
    groups = np.arange(5) * 1000
    few = sum_gradients(agent, 100, groups[:2], 7, Sampling(), 1).gradients
    many = sum_gradients(agent, 100, groups, 7, Sampling(), 1).gradients
    np.testing.assert_allclose(few, many[:2], rtol=1e-5, atol=1e-7)
    assert len(np.unique(many.round(6), axis=0)) == 5


def test_advantages_are_on_the_scale_of_the_value_network(runs):
    """An agent that was trained on scaled rewards is judged on scaled rewards."""
    agent = Agent.of(load_checkpoint(checkpoint_path(runs[0], 2)), 0)
    assert agent.config.normalize_rewards and agent.reward_std != 1.0
    batch = pgcore.collect(agent.task, agent.policy, 50, normalizer=agent.normalizer)
    np.testing.assert_allclose(
        agent.rewards(batch.rewards), np.clip(batch.rewards / agent.reward_std, -10, 10), rtol=1e-6
    )
    zero = Sampling(baseline="zero").judge(agent, batch)
    plain = pgcore.discounted_returns(
        agent.rewards(batch.rewards), np.zeros((1, 50)), batch.terminated, batch.truncated
    )
    np.testing.assert_array_equal(zero, plain)


def test_a_step_is_the_update_that_training_makes(runs):
    """From the same pairs and minibatch order, a computed step equals the trainer's own."""
    from pgcore.studies.steps import computed_step
    from pgcore.train import Trainer

    for run in runs:
        checkpoint = load_checkpoint(checkpoint_path(run, 2))
        trainer = Trainer(checkpoint.config)
        trainer.load_state(checkpoint.state, 2)
        block = trainer.blocks[1]
        trial = block.trials[0]
        data = block.training_data(block.rollout(2, 1))
        before = block.policy.flat.clone()
        block.update(data, 2)
        one = type(data)(*(getattr(data, f)[:1] for f in data.__dataclass_fields__))
        step = computed_step(Agent.of(checkpoint, trial), one, checkpoint.config.seed, trial)
        expected = (block.policy.flat - before)[0].numpy()
        np.testing.assert_allclose(step, expected, atol=2e-6)  # float32, another batch size
        assert np.linalg.norm(step) > 1e-3


def test_same_bits_for_any_threads_and_after_a_stop(runs, tmp_path):
    one = pgcore.studies.gradient_quality(runs, tmp_path / "a", num_threads=1, **SMALL)
    two = pgcore.studies.gradient_quality(runs, tmp_path / "b", num_threads=3, **SMALL)
    assert_same_dataset(one, two)
    again = pgcore.studies.gradient_quality(runs, tmp_path / "a", **SMALL)
    assert_same_dataset(one, again)
    for name in ("gram", "dot_true", "half_dot", "step_square"):
        assert np.isfinite(one[name].values).all(), name
    assert np.isfinite(one["step_gram"].sel(n=64).values).all()
    assert np.isnan(one["step_gram"].sel(n=256).values).all()
    other = pgcore.studies.gradient_quality(runs, tmp_path / "c", seed=1, **SMALL)
    assert not np.array_equal(one["gram"].values, other["gram"].values)


def _study(runs, out):
    pgcore.studies.gradient_quality(runs, out, num_threads=1, **SMALL)


@pytest.mark.timeout(120)
def test_a_killed_study_resumes_with_the_same_bits(runs, tmp_path):
    whole = pgcore.studies.gradient_quality(runs, tmp_path / "whole", **SMALL)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["pgcore.studies.gradient"])
    for delay in (0.0, 0.05, 0.2):
        process = context.Process(target=_study, args=(runs, tmp_path / "cut"))
        process.start()
        chunks = tmp_path / "cut" / "true.zarr" / "gradient" / "c"
        while process.is_alive() and not chunks.exists():
            time.sleep(0.002)
        time.sleep(delay)
        process.kill()
        process.join()
    cut = pgcore.studies.gradient_quality(runs, tmp_path / "cut", **SMALL)
    assert_same_dataset(whole, cut)


def test_a_finished_cell_is_not_computed_again(runs, tmp_path):
    plan, _ = GradientStudy(**SMALL).plans(runs, tmp_path)
    run_plan(plan, tmp_path / "true.zarr")

    def never(at, threads):
        raise AssertionError("computed twice")

    run_plan(dataclasses.replace(plan, function=never), tmp_path / "true.zarr")


@dataclasses.dataclass(frozen=True)
class Flaky:
    """A cell function that fails for one trial, if told to."""

    real: object
    fail: bool

    def __call__(self, at, threads):
        if self.fail and at["trial"] == 1 and at["iteration"] == 0:
            raise ArithmeticError("on purpose")
        return self.real(at, threads)


def test_a_failing_cell_is_named_and_the_rest_completes(runs, tmp_path):
    plan, _ = GradientStudy(**SMALL).plans(runs, tmp_path)
    flaky = dataclasses.replace(plan, function=Flaky(plan.function, fail=True))
    with pytest.raises(StudyError, match="2 of 8 cells failed: algorithm=ppo, iteration=0") as info:
        run_plan(flaky, tmp_path / "a")
    assert str(info.value).count("ArithmeticError: on purpose") == 2
    assert "2 of 8 cells to compute" in describe_plan(plan, tmp_path / "a")
    whole = run_plan(plan, tmp_path / "b")
    assert_same_dataset(run_plan(plan, tmp_path / "a"), whole)


def test_a_failing_cell_stops_no_later_store(runs, tmp_path):
    """What needs the failed cell fails by name; the rest of both stores is there."""
    true, estimates = GradientStudy(**SMALL).plans(runs, tmp_path)
    flaky = dataclasses.replace(true, function=Flaky(true.function, fail=True))
    with pytest.raises(StudyError, match="6 of 24 cells failed") as info:
        run_plans({"true.zarr": flaky, "dataset.zarr": estimates}, tmp_path)
    assert "needs the cell of true.zarr at" in str(info.value)
    whole = pgcore.studies.gradient_quality(runs, tmp_path / "whole", **SMALL)
    assert_same_dataset(pgcore.studies.gradient_quality(runs, tmp_path, **SMALL), whole)


def test_a_study_in_another_order_is_refused(runs, tmp_path):
    """Cells are found by their place: with other coordinates it is another study."""
    pgcore.studies.gradient_quality(runs, tmp_path, **SMALL)
    with pytest.raises(ValueError, match="other coordinates of algorithm"):
        pgcore.studies.gradient_quality(runs[::-1], tmp_path, **SMALL)


def test_noise_scale_of_normalized_advantages(runs):
    """The streams' squares are those of the normalised gradient, as an independent sum says."""
    agent = Agent.of(load_checkpoint(checkpoint_path(runs[0], 2)), 0)
    sampling = Sampling(advantages="normalized", stream_steps=64)
    groups = np.arange(2) * (1 << 20)
    sums = sum_gradients(agent, 256, groups, 5, sampling, 1)
    ids = (groups[:, None] + np.arange(4)).reshape(-1)
    (_, batch), *_ = sample_blocks(agent, 64, ids, 5, 1)
    advantages = sampling.judge(agent, batch).reshape(2, -1)
    scaled = (advantages - advantages.mean(1, keepdims=True)) / advantages.std(
        1, ddof=1, keepdims=True
    )
    streams = gradient_sums(agent.policy, batch.inputs, batch.actions, scaled.reshape(8, 64)) / 64
    np.testing.assert_allclose(sums.gradients, streams.reshape(2, 4, -1).mean(1), atol=1e-6)
    assert sums.square == pytest.approx(np.square(streams).sum(1).mean(), rel=1e-5)


def test_torch_threads_change_no_bit(runs, tmp_path):
    """All three studies, in processes whose torch has one and four threads."""
    script = tmp_path / "study.py"
    script.write_text(_ALL_STUDIES)
    for threads in ("1", "4"):
        out = tmp_path / threads
        arguments = [sys.executable, str(script), threads, str(out), *map(str, runs)]
        subprocess.run(arguments, check=True, capture_output=True)
    for name in ("gradient/dataset", "value/errors", "value/monte_carlo", "value/variance"):
        one, four = (open_study(tmp_path / n / f"{name}.zarr") for n in ("1", "4"))
        assert_same_dataset(one, four)
    maps = [open_landscape(tmp_path / n / "map") for n in ("1", "4")]
    assert_same_dataset(*maps)


_ALL_STUDIES = """
import sys
import torch
import pgcore
threads, out, *runs = sys.argv[1:]
torch.set_num_threads(int(threads))
few = {"iterations": (2,), "trials": 1}
pgcore.studies.gradient_quality(
    runs, out + "/gradient", pairs=(256,), estimates=3, true_pairs=4000, true_step_pairs=2000, **few
)
pgcore.studies.value_prediction(
    runs, out + "/value", variance_iterations=(2,), held_out_pairs=4000, true_value_pairs=4000,
    states=20, continuations=2, pairs=(256,), estimates=3, **few
)
pgcore.studies.landscape(runs, out + "/map", sources=(4000,), pairs=(100,), points=(2, 2), **few)
"""


def test_dry_run_says_what_it_would_cost(runs, tmp_path):
    text = describe_gradient(runs, tmp_path / "x", **SMALL)
    assert "8 of 8 cells" in text and "16 of 16 cells" in text and "min" in text
    assert not (tmp_path / "x").exists()


def test_another_study_is_not_overwritten(runs, tmp_path):
    pgcore.studies.gradient_quality(runs, tmp_path / "a", **SMALL)
    with pytest.raises(ValueError, match="other settings of pairs"):
        pgcore.studies.gradient_quality(runs, tmp_path / "a", **(SMALL | {"pairs": (64,)}))
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "notes.txt").write_text("mine")
    with pytest.raises(ValueError, match="exists and is no study"):
        run_plan(GradientStudy(**SMALL).plans(runs, tmp_path)[0], tmp_path / "b")


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"pairs": (0,)}, "pairs: expected an integer >= 1, got 0"),
        ({"estimates": 1}, "estimates"),
        ({"iterations": (3,)}, r"has no checkpoint 3; it has \[0, 2, 4\]"),
        ({"trials": 5}, "trials: expected at most 2"),
    ],
)
def test_bad_studies_are_refused_before_any_work(runs, tmp_path, change, text):
    with pytest.raises(ValueError, match=text):
        pgcore.studies.gradient_quality(runs, tmp_path / "x", **(SMALL | change))
    assert not (tmp_path / "x").exists()


def test_the_dataset_says_what_made_it(runs, tmp_path):
    data = pgcore.studies.gradient_quality(runs, tmp_path / "a", **SMALL)
    for name in (
        "spec",
        "version_pgcore",
        "version_mujoco",
        "version_torch",
        "model_sha256",
        "wall_seconds",
    ):
        assert name in data.attrs, name


def test_the_figure_is_made_from_the_dataset_alone(runs, tmp_path):
    pgcore.studies.gradient_quality(runs, tmp_path / "a", **SMALL)
    data = open_gradient(tmp_path / "a")
    assert "gradient" not in data  # small: inner products only
    for kind in ("step", "gradient"):
        figures.save_figure(figures.gradient_figure(data, kind), tmp_path / "figure")
    assert "trpo" in figures.gradient_table(data)
    assert (tmp_path / "figure.png").stat().st_size > 10_000
    assert (tmp_path / "figure.pdf").exists()


def test_pairwise_cosine_of_known_vectors():
    vectors = np.array([[1.0, 0], [0, 2.0], [3.0, 3.0]])
    middle, low, high = statistics.pairwise_cosine_interval(vectors @ vectors.T)
    assert middle == pytest.approx((0 + np.sqrt(0.5) * 2) / 3)
    assert low <= middle <= high


def test_interquartile_mean():
    assert statistics.interquartile_mean(np.array([0.0, 1, 2, 100])) == pytest.approx(1.5)
    assert statistics.interquartile_mean(np.arange(8.0)) == pytest.approx(3.5)
    middle, low, high = statistics.iqm_interval(np.arange(8.0))
    assert low < middle < high
