"""The table of libraries, and the way from a file to an agent."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pgcore.agent import Agent
from pgcore.base.errors import CheckpointError, check_choice, check_count, check_path, check_seed
from pgcore.importers import (
    cleanrl,
    exported,
    rl_games,
    rllib,
    rsl_rl,
    sb3,
    skrl,
    spinning_up,
    tianshou,
    torchrl,
)
from pgcore.importers.build import build_agent, file_digest
from pgcore.importers.check import compare, draw_observations, read_reference, returns, trust
from pgcore.importers.inert import read_tensors, refused
from pgcore.importers.library_check import ask_library
from pgcore.importers.parts import Options, Parts, refuse
from pgcore.importers.reestimate import reestimate
from pgcore.importers.task_ids import find_task


@dataclass(frozen=True)
class Reader:
    """How the files of a library are read.

    Attributes:
        recognises: (path, content of torch's file or None) -> whether it is one of them.
        read: (path, content, options) -> the agent's parts.
        of_state: (state dict as in the file, options) -> parts, for what the exporter stored.
        of_settings: (settings, notes) -> fields of parts, where the exporter stores settings.
        stand_ins: beginnings of names of classes that its files may name, which stay inert.
    """

    recognises: Callable[[Path, Any], bool]
    read: Callable[[Path, Any, Options], Parts]
    of_state: Callable[[Any, Options], Parts]
    of_settings: exported.Settings | None = None
    stand_ins: tuple[str, ...] = ()


READERS: dict[str, Reader] = {
    "sb3": Reader(sb3.recognises, sb3.read, sb3.of_state, sb3.of_settings),
    "cleanrl": Reader(
        cleanrl.recognises, cleanrl.read, cleanrl.of_state, stand_ins=cleanrl.STAND_INS
    ),
    "spinning_up": Reader(
        spinning_up.recognises,
        spinning_up.read,
        spinning_up.of_state,
        stand_ins=spinning_up.STAND_INS,
    ),
    "tianshou": Reader(
        tianshou.recognises, tianshou.read, tianshou.of_state, stand_ins=tianshou.STAND_INS
    ),
    "torchrl": Reader(torchrl.recognises, torchrl.read, torchrl.of_state),
    "rllib": Reader(rllib.recognises, rllib.read, rllib.of_state),
    "skrl": Reader(skrl.recognises, skrl.read, skrl.of_state),
    "rl_games": Reader(rl_games.recognises, rl_games.read, rl_games.of_state),
    "rsl_rl": Reader(rsl_rl.recognises, rsl_rl.read, rsl_rl.of_state),
}


WITH_NORMALIZER_FILE = ("sb3", "cleanrl", "tianshou", "rllib")  # statistics in a file of their own


def read_parts(path: Path, options: Options) -> tuple[str, Parts]:
    """The library of a file or folder, and what is in it.

    Raises:
        CheckpointError: not there, damaged, of no known library, or it asks for code to be run.
    """
    if not path.exists():
        raise CheckpointError(f"no file {str(path)!r}")
    if options.library is not None:
        check_choice("--library", options.library, list(READERS))
    try:
        name, parts = _read(path, options)
    except ValueError as error:
        raise error if isinstance(error, CheckpointError) else refused(path, error) from error
    except (LookupError, TypeError, AttributeError, ArithmeticError, RuntimeError) as error:
        # its tables are not as its library makes them
        raise refused(path, f"{type(error).__name__}: {error}") from error
    own = path.suffix == ".npz" or name not in WITH_NORMALIZER_FILE
    if options.normalizer is not None and own:
        raise refuse(f"--normalizer: the files of {name} bring their statistics, or have none")
    return name, parts


def _read(path: Path, options: Options) -> tuple[str, Parts]:
    if path.suffix == ".npz":
        name = check_choice("library", exported.library_of(path), list(READERS))
        if options.library not in (None, name):
            raise refuse(f"--library: the file says {name}, got {options.library}; leave it away")
        reader = READERS[name]
        return name, exported.read(path, reader.of_state, options, reader.of_settings)
    if path.suffix == ".safetensors":
        raise refuse(
            f"{path}: an agent of pgcore needs no import, and other .safetensors files are not "
            "read; save the state dict by torch.save, as the libraries do"
        )
    known = READERS if options.library is None else {options.library: READERS[options.library]}
    for name, reader in known.items():
        if reader.recognises(path, None):
            return name, reader.read(path, None, options)
    if path.is_file() and options.library not in ("sb3", "rllib"):
        content = read_tensors(path, [s for r in known.values() for s in r.stand_ins])
        for name, reader in known.items():
            if reader.recognises(path, content):
                return name, reader.read(path, content, options)
    libraries = ", ".join(known)
    raise refuse(f"{path} is no file of {libraries} that this reads; --exporter LIBRARY helps")


def import_agent(
    source: str | Path,
    task: str,
    *,
    normalizer: str | Path | None = None,
    library: str | None = None,
    activation: str | None = None,
    reestimate_pairs: int = 0,
    reference: str | Path | None = None,
    check_with_library: bool = False,
    trajectories: int = 20,
    seed: int = 0,
) -> Agent:
    """An agent of another library. Nothing in its files is executed.

    Args:
        source: file or folder.
        task: id of the task that it acts in.
        normalizer: file of its observation statistics, such as ``vecnormalize.pkl``.
        library: a name of :data:`READERS`; None: found out.
        activation: of its networks, where the file does not say.
        reestimate_pairs: on how many pairs missing statistics are estimated; 0: not.
        reference: numbers that the exporter stored, to check against.
        check_with_library: check against the library itself, installed here.
        trajectories: whose returns are measured.
        seed: of observations and trajectories.

    Returns:
        The agent; its ``origin["check"]`` says what was compared, ``origin["notes"]`` what to know.

    Raises:
        CheckpointError: not readable, not representable, or it does not compute what its library
            does.
    """
    if check_with_library and reference is not None:
        raise refuse("--check-with-library and --reference: expected one of them, got both")
    if reestimate_pairs and reference is not None:
        raise refuse("--reestimate: the numbers of --reference are of statistics that it has")
    check_count("trajectories", trajectories, 2)
    check_seed("seed", seed)
    if reestimate_pairs:
        check_count("reestimate", reestimate_pairs, 100)
    path = check_path("source", source)
    statistics = None if normalizer is None else check_path("normalizer", normalizer)
    options = Options(statistics, activation, library)
    name, parts = read_parts(path, options)
    made, note = find_task(task)
    if note is not None:
        parts = dataclasses.replace(parts, notes={**parts.notes, "task": note})
    agent = build_agent(parts, made, {"source": path.name, "sha256": file_digest(path)})
    check: dict[str, Any] = {"status": "unverified"}
    if check_with_library:
        if parts.observations_missing and not reestimate_pairs:
            raise refuse(f"--check-with-library: {parts.observations_missing}: give --normalizer")
        obs = draw_observations(agent)
        found = compare(agent, ask_library(name, path, parts, agent, obs))
        check = {"status": "verified", **found, "statistics": _statistics_said(parts)}
    elif reference is not None or path.suffix == ".npz":
        numbers = read_reference(path if reference is None else check_path("reference", reference))
        said = "inside these numbers, and so verified, too"
        check = {"status": "verified", **compare(agent, numbers), "statistics": said}
    agent = _with_statistics(agent, parts, reestimate_pairs, seed)
    if "reestimated" in agent.origin and "statistics" in check:
        check["statistics"] = "re-estimated after this check, which is of the networks alone"
    check["returns"] = returns(agent, trajectories, seed)
    agent = dataclasses.replace(agent, origin={**agent.origin, "check": check})
    return dataclasses.replace(agent, origin={**agent.origin, "trust": trust(agent)})


def _statistics_said(parts: Parts) -> str:
    """What a check of the networks by the library says of the observation statistics."""
    if parts.observations_proof:
        return f"verified: {parts.observations_proof}"
    if parts.observations is not None:
        return "those of the file given; nothing shows that they are this agent's"
    return "none, as far as its file says"


def _with_statistics(agent: Agent, parts: Parts, pairs: int, seed: int) -> Agent:
    """The agent with statistics re-estimated, or told that they are missing."""
    if parts.observations is not None or parts.observations_missing is None:
        if pairs:
            raise refuse("--reestimate: the agent has its statistics, or was trained without")
        return agent
    if pairs:
        return reestimate(agent, pairs, seed)
    said = (
        f"{parts.observations_missing}: give --normalizer FILE or --reestimate N, unless it was "
        "trained on plain observations"
    )
    beside = agent.origin["notes"].get("normalizer")  # a file that lies there
    notes = {**agent.origin["notes"], "normalizer": f"{said}; {beside}" if beside else said}
    return dataclasses.replace(agent, origin={**agent.origin, "notes": notes})
