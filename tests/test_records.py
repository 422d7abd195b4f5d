"""What a run writes for people: metrics.csv, and what TensorBoard shows."""

import numpy as np
import pytest

from conftest import small_config
from pgcore.cli import main
from pgcore.training.records import read_metrics
from test_train import run_to_end


@pytest.mark.parametrize(
    ("algorithm", "others"),
    [
        ("ppo", {"surrogate_gain", "cg_residual", "step_fraction", "policy_passes"}),
        ("trpo", {"clip_fraction", "learning_rate", "policy_passes"}),
        ("a2c", {"clip_fraction", "ratio_max", "surrogate_gain", "cg_residual", "step_fraction"}),
    ],
)
def test_a_table_has_the_columns_that_apply(tmp_path, algorithm, others):
    """And the pairs that each agent was trained on, of which there are 128 in an iteration."""
    run_to_end(tmp_path, small_config(algorithm=algorithm, normalize_advantages="batch"))
    metrics = read_metrics(tmp_path)
    header = (tmp_path / "metrics.csv").read_text().partition("\n")[0].split(",")
    assert header[:3] == ["iteration", "trial", "environment_steps"]
    assert not others & set(header) and {"value_loss", "explained_variance"} <= set(header)
    np.testing.assert_array_equal(metrics["environment_steps"][:, 1], [128, 256, 384, 512])
    for name in set(header) - {"return_mean", "return_min", "return_max", "length_mean"}:
        assert np.isfinite(metrics[name]).all(), name


def test_a_table_of_an_older_pgcore_keeps_its_columns(tmp_path):
    """Those that no longer apply are NaN from there on, and what is new is left out."""
    config = small_config(algorithm="trpo", normalize_advantages="batch")
    run_to_end(tmp_path, config, stop_after=2)
    table = tmp_path / "metrics.csv"
    lines = [line.split(",") for line in table.read_text().splitlines()]
    place = lines[0].index("environment_steps")
    old = [[*row[:place], *row[place + 1 :], "clip_fraction" if i == 0 else "0.5"]
           for i, row in enumerate(lines)]  # fmt: skip
    table.write_text("\n".join(map(",".join, old)) + "\n")
    run_to_end(tmp_path, config, resume=True)
    metrics = read_metrics(tmp_path)
    assert list(metrics) == old[0] and len(metrics["kl"]) == 4
    assert (metrics["clip_fraction"][:2] == 0.5).all()
    assert np.isnan(metrics["clip_fraction"][2:]).all() and np.isfinite(metrics["kl"]).all()


def scalars(run):
    """What TensorBoard shows of a run: (steps, values) by tag, and its texts."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(run / "tensorboard"), size_guidance={"scalars": 0, "tensors": 0})
    events.Reload()
    tags = events.Tags()
    shown = {t: [(e.step, e.value) for e in events.Scalars(t)] for t in tags["scalars"]}
    return shown, {t: [e.tensor_proto.string_val[0] for e in events.Tensors(t)]
                   for t in tags["tensors"]}  # fmt: skip


def test_tensorboard_shows_each_environment_step_once(tmp_path):
    """Also after a stop past the checkpoint, and with settings and timing."""
    config = small_config(save_every=2)
    run_to_end(tmp_path / "whole", config)
    run_to_end(tmp_path / "cut", config, stop_after=3)
    run_to_end(tmp_path / "cut", config, resume=True)
    (whole, settings), (cut, again) = scalars(tmp_path / "whole"), scalars(tmp_path / "cut")
    assert [step for step, _ in cut["mean/kl"]] == [128, 256, 384, 512]
    assert set(whole) == set(cut) and len(cut["time/rollout_seconds"]) == 4
    for tag in (t for t in whole if not t.startswith("time/")):
        np.testing.assert_array_equal(whole[tag], cut[tag], err_msg=tag)
    ((text,),) = settings.values()
    assert b"| algorithm | ppo |" in text and settings == again


def test_the_end_of_a_table_may_be_torn(tmp_path):
    """A power loss leaves zeros, or half a letter: training goes on, studies read what is whole."""
    config = small_config(trials=2)
    run_to_end(tmp_path / "whole", config)
    for i, end in enumerate((b"\0" * 200_000, b"\xff\xfe", b"3,1,1e", b",,,")):
        run = tmp_path / str(i)
        run_to_end(run, config, stop_after=2)
        with (run / "metrics.csv").open("ab") as file:
            file.write(end)
        assert read_metrics(run)["iteration"].shape == (2, 2)
        run_to_end(run, config, resume=True)
        whole = tmp_path / "whole" / "metrics.csv"
        assert (run / "metrics.csv").read_bytes() == whole.read_bytes()


def test_a_table_that_is_damaged_ahead_of_its_end_is_named(tmp_path, capsys):
    run_to_end(tmp_path, small_config(trials=1))
    table = tmp_path / "metrics.csv"
    lines = table.read_bytes().splitlines(keepends=True)
    table.write_bytes(b"".join([*lines[:2], b"\0\xff" + lines[2][2:], *lines[3:]]))
    with pytest.raises(ValueError, match=r"metrics\.csv is damaged ahead of its end"):
        read_metrics(tmp_path)
    with pytest.raises(SystemExit):
        main(["train", "--resume", "--out", str(tmp_path)])
    (line,) = capsys.readouterr().err.splitlines()
    assert "metrics.csv is damaged ahead of its end; restore or move it" in line
    table.write_bytes(b"".join([*lines[:2], lines[2].replace(b".", b"x", 1), *lines[3:]]))
    with pytest.raises(ValueError, match=r"metrics\.csv is damaged \("):
        read_metrics(tmp_path)
