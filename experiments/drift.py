"""How far does the return of the same agents shift under other MuJoCo and other task versions?

    python experiments/drift.py RUN@450 OTHER_RUN@100 AGENT_FILE --trials 8 --trajectories 30
    python experiments/drift.py OTHER_RUN --add && python experiments/drift.py --write-docs

Every version gets an environment of its own, the only use of the network; `drift_worker.py`
evaluates the agents there. Interrupted, the same command goes on. See docs/drift.md.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import mujoco
import numpy as np
import tyro
from drift_environments import ENVIRONMENTS, WORKER, last_line, made_environment, versions_of
from drift_report import drift_figure, others_of, tables, with_others, write_docs
from drift_worker import export_agent, write_whole
from tqdm import tqdm

from pgcore.base.errors import check_choice, check_count, check_seed
from pgcore.base.threads import default_threads
from pgcore.studies.engine.sources import Agents
from pgcore.tasks.definitions import TASKS
from pgcore.tasks.task import Task
from pgcore.training.run import kept_iterations

DOCS = Path(__file__).parents[1] / "docs" / "drift.md"
REFERENCE = "4.0.0"
CHUNK = 4  # cells of a worker process, which takes a second to start


@dataclass(frozen=True)
class Command:
    """Evaluate agents under other versions of MuJoCo and of their task."""

    sources: Annotated[tuple[str, ...], tyro.conf.Positional] = ()
    """Run folders, RUN@ITERATION or RUN for its last checkpoint, and agent files; of any tasks."""
    trials: int = 8
    """Of each source, from the first."""
    trajectories: int = 30
    """Of each trial under each version."""
    seed: int = 0
    """Of starts and action noise."""
    processes: int = default_threads()
    """Workers side by side."""
    environments: tuple[str, ...] = tuple(ENVIRONMENTS)
    """Some of the versions; the reference is always there."""
    work: Path = Path("drift")
    """Folder of environments and of what is computed."""
    out: Path = Path("experiments/results/drift")
    """Result, without suffix: .json (every return) and .png."""
    add: bool = False
    """Keep the other agents of OUT.json; versions, seed and trajectories must be the same."""
    write_docs: bool = False
    """Only put the tables of OUT.json into docs/drift.md."""


def rules_of(task_id: str, version: str) -> dict[str, Any]:
    """What a worker needs of a version of a task; ValueError: an agent cannot act in it."""
    other = task_id[: -len(version)] + version
    if other not in TASKS:
        raise ValueError(f"there is no {other}")
    spec = TASKS[other]
    if spec.observation != TASKS[task_id].observation:
        raise ValueError(f"agents of {task_id} cannot act in {other}: its observations differ")
    costs = [dict(t.parameters) for t in spec.reward if t.kind == "contact_cost"]
    return {
        "gymnasium_id": spec.gymnasium_id,
        "time_limit": spec.time_limit,
        "contacts": "max" if spec.contact_margins == "max" else "engine",
        # Gymnasium's v5 has it itself
        "impact_cost": [costs[0]["weight"], costs[0]["max"]] if version == "v2" and costs else None,
    }


def contacts_of(task_id: str, rules: dict[str, Any], engine: str) -> str:
    """How the margins of two geoms count there: larger, sum, or none where the model has none."""
    if not mujoco.MjModel.from_xml_path(str(TASKS[task_id].xml_path())).geom_margin.any():
        return "no margins"
    major, minor = map(int, engine.split(".")[:2])
    return "larger" if rules["contacts"] == "max" or (major, minor) < (3, 5) else "sum"


def subjects(sources: tuple[str, ...], trials: int, folder: Path) -> Iterator[dict[str, Any]]:
    """Label, task, iteration and trials of every source, and the files of its agents."""
    for source in sources:
        found = re.search(r"@(\d+)$", source)
        text, number = (source[: found.start()], [int(found[1])]) if found else (source, None)
        place = Path(text.partition("=")[2] or text).expanduser()
        if number is None and place.is_dir():
            number = kept_iterations(place)[-1:]
        agents = Agents.of([text], number)
        (label,), (iteration,) = agents.labels, agents.iterations
        task = agents.task()
        spec = task.spec if isinstance(task, Task) and task.id[-3:-1] == "-v" else None
        if spec is None or TASKS.get(task.id) != spec or not spec.gymnasium_id:
            raise ValueError(f"{source}: {task.id} is no task of Gymnasium's suite as it is")
        places = [{"agent": label, "iteration": iteration, "trial": t} for t in agents.trials]
        ones = [agents.agent(at) for at in places[:trials]]
        files = [folder / f"{one.digest()}.npz" for one in ones]
        for one, file in zip(ones, files, strict=True):
            export_agent(one, file)
        yield {
            "label": label,
            "task": task.id,
            "iteration": iteration,
            "trials": list(agents.trials[:trials]),
            "files": [str(file.resolve()) for file in files],
        }


def conditions(
    subject: dict[str, Any], versions: dict[str, dict[str, str]], command: Command
) -> tuple[list[dict[str, Any]], list[str]]:
    """What a subject is evaluated under, with its cells, and what is left out and why."""
    task_id, own = subject["task"], subject["task"][-2:]
    plan = [(name, v, command.seed) for name in versions for v in ENVIRONMENTS[name][1]]
    plan.append((REFERENCE, own, command.seed + 1))  # what independent draws alone do
    found, out = [], []
    for name, version, seed in plan:
        try:
            rules = rules_of(task_id, version)
        except ValueError as error:
            out.append(f"{task_id} {subject['label']}, {version}: {error}")
            continue
        cells = []
        for trial, file in zip(subject["trials"], subject["files"], strict=True):
            cell = {"agent": file, "rules": rules, "seed": seed, "trial": trial}
            cell["trajectories"] = command.trajectories
            key = json.dumps([name, versions[name], Path(file).name, cell | {"agent": ""}])
            digest = hashlib.sha256(key.encode()).hexdigest()[:24]
            cells.append(cell | {"out": str((command.work / "cells" / digest).resolve())})
        entry = {"environment": name, "rules": version, "other_seeds": seed != command.seed}
        entry["contacts"] = contacts_of(task_id, rules, versions[name]["mujoco"])
        found.append(entry | {"cells": cells})
    return found, list(dict.fromkeys(out))


def run_cells(jobs: list[tuple[Path, list[dict[str, Any]]]], processes: int) -> list[str]:
    """Run the cells of every Python that are missing; what failed workers said."""
    missing = [(py, [c for c in cells if not Path(c["out"]).is_file()]) for py, cells in jobs]
    chunks = [(py, m[i : i + CHUNK]) for py, m in missing for i in range(0, len(m), CHUNK)]
    bar = tqdm(total=sum(len(cells) for _, cells in chunks), unit="cell", disable=not chunks)
    running: list[subprocess.Popen[str]] = []
    stopped = threading.Event()

    def work(python: Path, cells: list[dict[str, Any]]) -> str:
        command = [str(python), "-W", "ignore", str(WORKER)]
        with tempfile.TemporaryFile("w+") as job, tempfile.TemporaryFile("w+") as said:
            json.dump(cells, job)
            job.seek(0)
            streams: Any = {"stdin": job, "stdout": subprocess.PIPE, "stderr": said}
            with subprocess.Popen(command, text=True, **streams) as worker:
                running.append(worker)
                if stopped.is_set():
                    worker.terminate()
                for _ in worker.stdout or ():
                    bar.update()
            said.seek(0)
            return f"worker failed: {last_line(said.read())}" if worker.returncode else ""

    pool = ThreadPoolExecutor(processes)
    try:
        said = [future.result() for future in [pool.submit(work, *chunk) for chunk in chunks]]
    finally:
        stopped.set()
        for worker in running:
            worker.terminate()
        pool.shutdown(cancel_futures=True)
        bar.close()
    return [text for text in said if text]


def evaluated(
    found: list[dict[str, Any]], command: Command, made: dict[str, tuple[Path, dict[str, str]]]
) -> dict[str, Any]:
    """Returns of subjects in environments of known Pythons and versions, and what is left out."""
    versions = {name: known for name, (_, known) in made.items()}
    planned = [conditions(subject, versions, command) for subject in found]
    plans, out = [plan for plan, _ in planned], [text for _, texts in planned for text in texts]
    jobs: dict[str, list[dict[str, Any]]] = {name: [] for name in made}
    for entry in itertools.chain(*plans):
        jobs[entry["environment"]] += entry["cells"]
    said = run_cells([(made[name][0], cells) for name, cells in jobs.items()], command.processes)
    agents = []
    for subject, plan in zip(found, plans, strict=True):
        kept = []
        for entry in plan:
            files = [Path(cell["out"]) for cell in entry.pop("cells")]
            if not all(file.is_file() for file in files):
                name = f"{subject['task']} {subject['label']}, {entry['environment']}"
                out.append(f"{name} {entry['rules']}: {'; '.join(dict.fromkeys(said))}")
                continue
            cells = [json.loads(file.read_text()) for file in files]
            entry["returns"] = [[round(x, 3) for x in cell["returns"]] for cell in cells]
            entry["lengths"] = [round(float(np.mean(cell["lengths"])), 1) for cell in cells]
            kept.append(entry)
        agents.append({k: v for k, v in subject.items() if k != "files"} | {"conditions": kept})
    return {"left_out": out, "agents": agents}


def main(command: Command) -> None:
    result = command.out.with_suffix(".json")
    if command.write_docs:
        return write_docs(DOCS, json.loads(result.read_text()))
    for name in ("trials", "trajectories", "processes"):
        check_count(name, getattr(command, name))
    check_seed("seed", command.seed)
    for name in command.environments:
        check_choice("environments", name, list(ENVIRONMENTS))
    if not command.sources:
        raise ValueError("sources: expected at least one run folder or agent file")
    for folder in ("agents", "cells", "environments"):
        (command.work / folder).mkdir(parents=True, exist_ok=True)
    found = list(subjects(command.sources, command.trials, command.work / "agents"))
    made, failed = {}, []
    for name in dict.fromkeys((*command.environments, REFERENCE)):
        try:
            python = made_environment(name, command.work.absolute() / "environments")
            made[name] = python, versions_of(python)
        except RuntimeError as error:
            print(f"{name}: left out: {error}", file=sys.stderr)
            failed.append(f"{name}: {error}")
    if REFERENCE not in made:
        raise ValueError(f"no reference to compare with: {'; '.join(failed)}")
    settings = {
        "reference": REFERENCE,
        "seed": command.seed,
        "trajectories": command.trajectories,
        "environments": {name: known for name, (_, known) in made.items()},
    }
    others = others_of(result, settings) if command.add else {}
    data = settings | evaluated(found, command, made)
    data["left_out"] = failed + data["left_out"]
    data = with_others(data, others)
    command.out.parent.mkdir(parents=True, exist_ok=True)
    write_whole(result, json.dumps(data, separators=(",", ":")))
    drift_figure(data).savefig(command.out.with_suffix(".png"), dpi=200)
    print(tables(data))


if __name__ == "__main__":
    try:
        main(tyro.cli(Command))
    except KeyboardInterrupt:
        sys.exit(130)
    except (ValueError, OSError) as error:
        sys.exit(f"drift: {error}")
