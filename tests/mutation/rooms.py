"""Mutants of the Python rooms of pure arithmetic, by mutmut, against the tests of these rooms.

Every mutant that lives must be explained in `survivors.toml`; one that is not, or an explanation
of a mutant that no longer lives, ends with status 1.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path

import mujoco

import pgcore
from pgcore import _build_info, _core

ROOT = Path(__file__).parents[2]
ROOMS = {
    "studies/measures/misfit.py": ["test_known_value_measures.py"],
    "studies/measures/over_trials.py": ["test_known_statistics.py"],
    "studies/measures/own_pairs.py": ["test_known_statistics.py"],
    "studies/measures/statistics.py": ["test_known_statistics.py", "test_known_noise_scales.py"],
    "studies/measures/value.py": ["test_known_value_measures.py"],
    "learning/objectives.py": ["test_objectives.py", "test_updates.py", "test_updates_sb3.py"],
    "rollout/returns.py": ["test_returns.py"],
}
EXPLAINED = Path(__file__).parent / "survivors.toml"

# The package is found in the folder of the mutants, not where its editable install points. MuJoCo's
# library is not beside it there, and is loaded ahead.
NO_EDITABLE_INSTALL = """
import ctypes, sys
ctypes.CDLL({library!r})
sys.meta_path[:] = [f for f in sys.meta_path if type(f).__name__ != "ScikitBuildRedirectingFinder"]
"""
SETTINGS = """
[tool.pytest.ini_options]
addopts = "-q --strict-markers"
timeout = 300
filterwarnings = ["error"]

[tool.mutmut]
source_paths = ["pgcore"]
only_mutate = {only}
also_copy = ["tests"]
pytest_add_cli_args = ["-p", "no:cacheprovider"]
pytest_add_cli_args_test_selection = {tests}
process_isolation = "fork"
use_setproctitle = false
# words of errors and of labels are for people
do_not_mutate_patterns = ['raise \\w+', '\\bf?"[^"]* [^"]*"', 'errstate']
"""


def prepare(folder: Path, rooms: Iterable[str]) -> dict[str, str]:
    """A copy of package and tests with mutmut's settings; the environment to run it in."""
    shutil.rmtree(folder, ignore_errors=True)
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(Path(pgcore.__file__).parent, folder / "pgcore", ignore=ignore)
    shutil.copytree(ROOT / "tests", folder / "tests", ignore=ignore)
    for module in (_core, _build_info):
        shutil.copy(str(module.__file__), folder / "pgcore")
    (folder / "site").mkdir()
    (library,) = Path(mujoco.__file__).parent.glob("libmujoco.so.*")
    (folder / "site" / "sitecustomize.py").write_text(
        NO_EDITABLE_INSTALL.format(library=str(library))
    )
    only = [f"pgcore/{room}" for room in rooms]
    tests = sorted({f"tests/{test}" for room in rooms for test in ROOMS[room]})
    (folder / "pyproject.toml").write_text(SETTINGS.format(only=only, tests=tests))
    return os.environ | {"PYTHONPATH": str(folder / "site"), "OMP_NUM_THREADS": "1"}


def changed(diff: str) -> tuple[str, str, str]:
    """File, lines that went and lines that came of a mutant, without their indentation."""
    lines = diff.splitlines()
    (file,) = (line.removeprefix("+++ ").strip() for line in lines if line.startswith("+++ "))

    def marked(mark: str) -> str:
        there = (x for x in lines if x.startswith(mark) and not x.startswith(mark * 3))
        return "\n".join(x[1:].strip() for x in there)

    return file.removeprefix("pgcore/"), marked("-"), marked("+")


def explained() -> dict[tuple[str, str, str], str]:
    """Why a mutant may live, by file and lines."""
    with EXPLAINED.open("rb") as file:
        entries = tomllib.load(file)["survivor"]
    return {(e["file"], e["before"].strip(), e["after"].strip()): e["why"] for e in entries}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rooms", nargs="+", choices=ROOMS, default=list(ROOMS))
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    arguments = parser.parse_args()
    folder = ROOT / "build" / "mutation"
    environment = prepare(folder, arguments.rooms)

    def mutmut(*command: str, quiet: bool = True) -> str:
        result = subprocess.run(
            [sys.executable, "-m", "mutmut", *command],
            cwd=folder, env=environment, text=True, check=True,
            stdout=subprocess.PIPE if quiet else None,
        )  # fmt: skip
        return result.stdout or ""

    mutmut("run", "--max-children", str(arguments.processes), quiet=False)
    told = re.findall(r"^\s*(\S+): (.+)$", mutmut("results", "--all", "true"), re.MULTILINE)
    counts = {kind: sum(k == kind for _, k in told) for kind in sorted({k for _, k in told})}
    print(f"{len(told)} mutants: {', '.join(f'{n} {kind}' for kind, n in counts.items())}")
    lived = {changed(mutmut("show", name)): name for name, kind in told if kind in LIVED}
    reasons = {k: why for k, why in explained().items() if k[0] in arguments.rooms}
    for key in lived.keys() - reasons.keys():
        print(f"not explained: {lived[key]}: {key[1]}  ->  {key[2]}")
    for file, before, after in reasons.keys() - lived.keys():
        print(f"explained, but does not live: {file}: {before}  ->  {after}")
    return int(lived.keys() != reasons.keys())


LIVED = ("survived", "no tests", "suspicious")

if __name__ == "__main__":
    sys.exit(main())
