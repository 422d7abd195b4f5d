"""The kinds of inputs: each makes one from a random generator, and gives what reads it."""

from __future__ import annotations

import contextlib
import functools
import io
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import pgcore
from campaigns.mutate import (
    faulty_bytes,
    faulty_text,
    faulty_tree,
    odd_value,
    safetensors_file,
    safetensors_parts,
)
from campaigns.targets import SMALL_RUN, targets
from pgcore import cli
from pgcore.base.files import digest_of
from pgcore.studies.engine import describing
from pgcore.training import command_line
from pgcore.training.config import TrainConfig
from pgcore.training.start import stored_config
from zoo import zoo

Input = tuple[str, Callable[[], Any]]  # what it is, and what reads it

TASK_FILE = """xml = "ball.xml"
frame_skip = 2
time_limit = 50
reset = [{ term = "uniform", target = "qpos", scale = 0.1 }]
observation = [{ term = "qpos", start = 1 }, { term = "qvel", clip = 10.0 }]
reward = [{ term = "coordinate_velocity", index = 0 }, { term = "control_cost", weight = 0.1 }]
termination = [{ term = "qpos_range", index = 1, low = 0.1, high = 2.0 }]
"""
BALL = """<mujoco> <option timestep="0.01"/> <worldbody>
<geom type="plane" size="5 5 .1"/> <body pos="0 0 1"> <joint name="x" type="slide" axis="1 0 0"/>
<joint name="z" type="slide" axis="0 0 1"/> <geom type="sphere" size="0.1" mass="1"/> </body>
</worldbody> <actuator> <motor joint="x" gear="1"/> </actuator> </mujoco>"""


class Inputs:
    """All kinds, over a folder with a run, an agent file and a model."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.run = folder / "run"
        if not self.run.exists():
            quiet = io.StringIO()
            with contextlib.redirect_stderr(quiet), contextlib.redirect_stdout(quiet):
                extra = ["--iterations", "2", "--keep", "0", "--out", str(self.run)]
                cli.main(["train", *SMALL_RUN, *extra])
        (folder / "ball.xml").write_text(BALL)
        self.task = pgcore.make_task("Hopper-v2")
        self.policy = pgcore.GaussianPolicy(11, 3, (4,), 2)
        agent = folder / "agent.safetensors"
        pgcore.Agent(self.task, self.policy, pgcore.ValueNet(11, (4,), 2)).save(agent)
        latest = self.run / "checkpoints" / "latest.safetensors"
        self.files = {"agent": agent.read_bytes(), "checkpoint": latest.read_bytes()}
        self.config = json.loads((self.run / "config.json").read_text())
        self.models = [p.read_text() for p in zoo().values() if p.stat().st_size < 4000]
        self.calls = self._calls()
        self.kinds: dict[str, Callable[[random.Random], Input]] = {
            "arguments": self.arguments,
            "configs": self.configs,
            "task files": self.task_files,
            "MJCF": self.models_of_mujoco,
            "agents and checkpoints": self.arrays,
            "command lines": self.command_lines,
        }

    def _calls(self) -> list[tuple[str, Callable[..., Any], dict[str, Any]]]:
        """Public functions with arguments that are valid, and little work."""
        rewards, flags = np.zeros((2, 5)), np.zeros((2, 5), bool)
        roll = {"task": self.task, "policy": self.policy, "seed": 3, "num_threads": 1}
        ends = {"terminated": flags, "truncated": flags, "gamma": 0.9}
        normalizer = pgcore.Normalizer.create(11, 2)
        states = np.array([1])
        study = {"agents": str(self.run), "out": str(self.folder / "none"), "iterations": (0,)}
        return [
            ("collect", pgcore.collect, {
                **roll, "steps": 3, "streams": 2, "stream_ids": None, "normalizer": normalizer,
                "update_normalizer": False, "deterministic": False, "keep_end": False,
            }),
            ("evaluate", functools.partial(pgcore.evaluate, pairs=50),
             {**roll, "normalizer": None, "gamma": 1.0, "streams": None}),
            ("gae", pgcore.gae, {
                "rewards": rewards, "values": rewards, "next_values": rewards, **ends, "lam": 0.9,
            }),
            ("discounted_returns", pgcore.discounted_returns,
             {"rewards": rewards, "bootstrap": rewards, **ends}),
            ("monte_carlo_values", pgcore.monte_carlo_values,
             {**roll, "at": states, "continuations": 1, "tail": 3}),
            ("GaussianPolicy", pgcore.GaussianPolicy, {
                "obs_dim": 3, "act_dim": 2, "hidden": (4,), "members": 1, "activation": "tanh",
                "std": "free", "mean_map": "none",
            }),
            ("ValueNet", pgcore.ValueNet, {"obs_dim": 3, "hidden": (4,), "members": 1}),
            ("Normalizer", pgcore.Normalizer, {
                "count": normalizer.count, "mean": normalizer.mean, "m2": normalizer.m2,
            }),
            ("Agent", pgcore.Agent, {
                "task": self.task, "policy": self.policy, "value": None, "normalizer": None,
                "algorithm": "ppo", "reward_std": None, "iteration": 0, "rate": 1.0,
            }),
            ("make_task", pgcore.make_task, {"task": "Hopper-v2", "lowered": True}),
            ("Term", pgcore.Term, {"kind": "qpos", "parameters": ()}),
            ("vector_env", pgcore.vector_env, {"task": "Hopper-v2", "num_envs": 1}),
            ("load_agent", pgcore.load_agent, {"path": str(self.folder / "agent.safetensors")}),
            ("load_checkpoint", pgcore.load_checkpoint, {"path": "x", "task": "Hopper-v2"}),
            ("open", pgcore.open, {"out": str(self.run)}),
            ("TrainConfig", TrainConfig, {**vars(TrainConfig())}),
            ("studies.describe", self._describe, study | {
                "pairs": (64,), "estimates": 2, "true_pairs": 64, "trials": 1, "seed": 0,
            }),
        ]  # fmt: skip

    def _describe(self, agents: Any, out: Any, **settings: Any) -> str:
        from pgcore.studies.catalog import STUDIES

        return STUDIES["gradient"].describe(agents, out, **settings)

    def arguments(self, rng: random.Random) -> Input:
        """One or two arguments of a public function are of another kind."""
        name, function, valid = rng.choice(self.calls)
        given = dict(valid)
        changed = rng.sample(sorted(given), min(len(given), rng.choice((1, 1, 2))))
        for argument in changed:
            given[argument] = odd_value(rng)
        text = f"{name}({', '.join(f'{k}={given[k]!r}' for k in changed)})"
        return text, lambda: function(**given)

    def configs(self, rng: random.Random) -> Input:
        """The config.json of a run."""
        text = json.dumps(self.config, indent=1)
        faulty = (
            faulty_text(rng, text)
            if rng.random() < 0.3
            else json.dumps(faulty_tree(rng, self.config))
        )
        folder = self.folder / "config"
        folder.mkdir(exist_ok=True)

        def read() -> None:
            (folder / "config.json").write_text(faulty, errors="surrogateescape")
            stored_config(folder)

        return faulty, read

    def task_files(self, rng: random.Random) -> Input:
        """A task file beside its model."""
        path = self.folder / "ball.toml"
        faulty = faulty_text(rng, TASK_FILE)

        def read() -> None:
            path.write_text(faulty)
            pgcore.make_task(str(path))

        return faulty, read

    def models_of_mujoco(self, rng: random.Random) -> Input:
        """A model's file."""
        faulty = faulty_text(rng, rng.choice([BALL, *self.models]))
        path = self.folder / "model.xml"
        term = pgcore.Term.of
        spec = pgcore.TaskSpec(
            "Model", str(path), 1, 50, (term("uniform", target="qpos", scale=0.1),),
            (term("qpos"), term("qvel")), (term("coordinate_velocity"),),
        )  # fmt: skip

        def read() -> None:
            path.write_text(faulty)
            pgcore.Task(spec)

        return faulty, read

    def arrays(self, rng: random.Random) -> Input:
        """The file of an agent or of a checkpoint: its bytes, its header, its arrays."""
        kind = rng.choice(sorted(self.files))
        content = self.files[kind]
        if rng.random() < 0.4:
            faulty = faulty_bytes(rng, content)
        else:
            table, header, numbers = safetensors_parts(content)
            if rng.random() < 0.7:
                header = faulty_tree(rng, header)
            else:
                table = faulty_tree(rng, table)
            faulty = safetensors_file(table, header, numbers) if isinstance(table, dict) else b""
        path = self.folder / f"{kind}-faulty.safetensors"

        def read() -> None:
            path.write_bytes(_with_digest(faulty) if rng.random() < 0.5 else faulty)
            if kind == "agent":
                pgcore.load_agent(path)
            else:
                pgcore.load_checkpoint(path).agent()

        return f"{kind}: {faulty[:3000]!r}", read

    def command_lines(self, rng: random.Random) -> Input:
        """The arguments of a command, which is stopped ahead of its work."""
        others = [["tasks", "Hopper-v2"], ["export", str(self.run), "--to", "csv"], ["info"]]
        name = rng.choice([n for n in targets() if "Dask" not in n] + ["others"])
        if name == "others":
            words = rng.choice([*others, ["report", str(self.run), "--out", "x"], ["presets"]])
        else:
            words = targets()[name](self.folder / "out", [self.run])
        words = faulty_text(rng, " ".join(words)).split(" ")
        return " ".join(words), lambda: run_command(words)


def _with_digest(content: bytes) -> bytes:
    """The same file with the digest of what its arrays are now, if it can be read at all."""
    import safetensors.numpy

    try:
        arrays = safetensors.numpy.load(content)
        table, header, numbers = safetensors_parts(content)
        return safetensors_file(table, header | {"digest": digest_of(arrays)}, numbers)
    except Exception:
        return content


class _Stopped:
    """Stands for a run, whose settings have been checked when it is made."""

    def __init__(self, path: Path, config: TrainConfig, **options: Any) -> None:
        raise SystemExit(0)


def run_command(words: list[str]) -> None:
    """A command in this process, without its work; its one line of an error as a ValueError."""
    command_line.Run = _Stopped  # type: ignore[assignment, misc]
    describing.pairs_per_second = lambda agent, threads: 1e4
    if words[:1] == ["study"]:
        words = [*words, "--dry-run"]
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        try:
            cli.main(words)
        except SystemExit as stop:
            if stop.code not in (0, 2, None):
                raise RuntimeError(f"exit status {stop.code}") from stop
    lines = [line for line in said.getvalue().splitlines() if not line.startswith("warning: ")]
    if lines:
        raise ValueError("\n".join(lines))
