"""Trials of a sample regime that diverge: left out, named and counted."""

import numpy as np
import pytest

import pgcore
from pgcore.studies import sample_regime
from pgcore.studies.engine.report import agent_remarks
from pgcore.studies.regime.figures import regime_figure
from pgcore.studies.regime.table import regime_table
from pgcore.training.run import Run
from regime_case import SMALL, TASK, checked
from test_diverged_trials import spoil


def test_diverged_trials_are_left_out_and_counted(tmp_path, monkeypatch):
    original = Run.iterations

    def spoiled(self):
        if self.path.name == "ppo-2048-x0.5":
            spoil(self.trainer)
        if self.path.name == "ppo-2048-x2":
            for block in self.trainer.blocks:
                block.optimizers["policy"].exp_avg[:] = np.nan
        return original(self)

    monkeypatch.setattr(Run, "iterations", spoiled)
    own = SMALL | {"pairs": (2048,), "rates": (0.5, 1.0, 2.0)}
    data = sample_regime(TASK, tmp_path, num_threads=1, **own).sel(algorithm="ppo", pairs=2048)
    lost = data["diverged_iteration"].notnull()
    assert lost.transpose("rate", "trial").values.tolist() == [
        [False, True],
        [False, False],
        [True, True],
    ]
    assert (data["final_reward"].isnull() == lost).all()
    assert (data["training_return"].isnull() == lost).all()
    assert data["reward"].sel(share=0.0).notnull().all(), "until then it was an agent"
    assert data["mean_change"].sel(share=0.0).notnull().all()
    assert (data["mean_change"].sel(share=0.5).isnull() == lost).all()
    np.testing.assert_array_equal(data["final_reward_difference_trials"], [1, 2, np.nan])
    kept = data["final_reward"].sel(trial=0)
    difference = float(kept.sel(rate=0.5) - kept.sel(rate=1.0))
    assert float(data["final_reward_difference"].sel(rate=0.5)) == pytest.approx(difference)
    whole = pgcore.open(tmp_path)
    named = whole.attrs["trials_left_out"].split("; ")
    assert named[0] == "ppo 2048 x0.5: trial 1 diverged at iteration 0 (parameter)"
    assert len(named) == 3
    table = regime_table(whole)
    assert "   1 of 2" in table and "   0 of 2" in table
    assert agent_remarks(whole) == [f"trials left out: {'; '.join(named)}"]
    assert "3 trials diverged" in regime_figure(whole, 0.5)._suptitle.get_text()
    call = checked(tmp_path, pairs=(2048,), rates=(0.5, 1.0, 2.0))
    assert [run.left() for run in call.runs] == [0, 0, 0], "it does not begin anew"
