"""The reproduction: commands, what they cost, and what a failure or an interruption leaves."""

import re
import shlex
import sys

import pytest

from conftest import ROOT
from pgcore import cli

sys.path.append(str(ROOT / "experiments"))
import planned
import reproduce
from planned import Planned, commands
from scales import SCALES, Gradient, Maps, Scale, Steps, Values

SMALL = Scale(
    tasks=("Hopper-v2",),
    trials=2,
    iterations=2,
    checkpoints=(0, 2),
    gradient=Gradient((500, 2000), 1, 4000, 4000),
    values=Values(2, 2, (2,), ("Hopper-v2",), (500, 2000), 4000, 5, 2),
    maps=Maps(3, (500, 2000), (500, 2000)),
    steps=(Steps(500, 2, 3, (0, 2), 2000),),
    update_trials=1,
)


@pytest.mark.parametrize("scale", [*SCALES])
def test_a_dry_run_prints_commands_that_are_understood_and_their_hours(scale, capsys, monkeypatch):
    monkeypatch.setattr(planned, "seconds_per_pair", lambda tasks: dict.fromkeys(tasks, 1e-3))
    monkeypatch.setattr(reproduce, "seconds_per_pair", planned.seconds_per_pair)
    assert reproduce.main(reproduce.Command(scale=scale, dry_run=True)) == 0
    out = capsys.readouterr().out
    every = list(commands(SCALES[scale], reproduce.Command().out))
    for command in every:
        assert reproduce.shown(command) in out
    hours = [float(h) for h in re.findall(r"pairs, ([\d.]+) h$", out, re.MULTILINE)]
    pairs = sum(c.pairs * c.factor for c in every)
    assert sum(hours) == pytest.approx(pairs * 1e-3 / 3600, abs=0.005 * len(hours))
    for word in ("train", "learning_curves", "gradient", "value", "landscape", "claims"):
        assert word in out
    text = " ".join(shlex.quote(w) for c in every for w in c.arguments if w.startswith("--"))
    for option in set(text.split()):
        assert re.fullmatch(r"--[a-z-]+", option)


def test_the_laptop_fits_into_a_day():
    """At the speed of two quiet cores, a fifth of the day kept: 43 us of a core on Hopper."""
    speed = {"Hopper-v2": 21.5e-6, "Walker2d-v2": 23.5e-6, "Humanoid-v2": 73e-6}
    hours = sum(c.hours(speed) for c in commands(SCALES["laptop"], reproduce.Command().out))
    assert planned.RESERVE * hours < 24


def test_what_is_planned_is_what_the_studies_say(runs, tmp_path, capsys, monkeypatch):
    """Pairs of each command, by the plan and by the study's own --dry-run.

    A tenth for what the plan leaves out: the pairs of updates, and streams that are longer.
    """
    monkeypatch.setattr(planned, "PAIRS", 128)  # the settings of these runs
    monkeypatch.setattr(planned, "UPDATE_POINTS", {"ppo": 3, "trpo": 3})
    for run, algorithm in zip(runs, planned.ALGORITHMS, strict=True):
        (tmp_path / "runs").mkdir(exist_ok=True)
        (tmp_path / "runs" / f"Hopper-v2-{algorithm}").symlink_to(run)
    studied = [c for c in commands(SMALL, tmp_path) if "study" in c.arguments]
    assert len(studied) == 7
    for command in studied:
        cli.main([*command.arguments[3:], "--dry-run"])
        said = re.findall(r"compute, (\S+) state-action pairs", capsys.readouterr().out)
        assert command.pairs == pytest.approx(sum(map(float, said)), rel=0.1), command.arguments


def test_reproduce_goes_on_after_a_failure_and_stops_when_interrupted(monkeypatch, tmp_path):
    def run(*statuses):
        scripts = [
            f"open({str(tmp_path / str(i))!r}, 'w'); raise SystemExit({status})"
            for i, status in enumerate(statuses)
        ]
        every = [Planned([sys.executable, "-c", script], "Hopper-v2", 0) for script in scripts]
        monkeypatch.setattr(reproduce, "commands", lambda scale, out: every)
        status = reproduce.main(reproduce.Command())
        ran = sorted(int(p.name) for p in tmp_path.iterdir())
        for path in tmp_path.iterdir():
            path.unlink()
        return status, ran

    assert run(0, 1, 0) == (1, [0, 1, 2])
    assert run(0, 130, 0) == (130, [0, 1])
    assert run(0, 0) == (0, [0, 1])
