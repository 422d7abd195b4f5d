"""The task files of docs/robots: robots of public models, trained and studied."""

import numpy as np
import pytest

import pgcore
from conftest import ROOT, assert_same_batch, make_policy, small_config
from pgcore.training.run import Run

FILES = sorted((ROOT / "docs" / "robots").glob("*.toml"))


def test_there_are_ten_and_each_is_short_and_on_the_page():
    page = (ROOT / "docs" / "robots.md").read_text()
    assert len(FILES) >= 10
    for file in FILES:
        assert len(file.read_text().splitlines()) < 40, file
        assert f"(robots/{file.name})" in page, file


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_robot_is_trained_and_studied(file, tmp_path):
    task = pgcore.make_task(str(file))
    policy = make_policy(task, members=2)
    one, two = (pgcore.collect(task, policy, 120, streams=4, seed=1, num_threads=n) for n in (1, 2))
    assert_same_batch(one, two)
    assert not one.diverged.any() and np.isfinite(one.rewards).all()
    assert np.ptp(one.rewards) > 0, "what the policy does matters"
    with Run(tmp_path / "run", small_config(task=str(file), trials=1, iterations=2)) as run:
        list(run.iterations())
    data = pgcore.studies.gradient_quality(
        tmp_path / "run", tmp_path / "study", iterations=(2,), pairs=(100,), estimates=3,
        true_pairs=200, true_step_pairs=200, largest_step=100,
    )  # fmt: skip
    assert np.isfinite(data["pairwise_cosine"]).all()
