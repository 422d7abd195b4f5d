"""A fixed list of edits of the C++ core, each built and put before the tests that must see it.

An edit that lives and is not explained, or one that is explained and does not live, ends with
status 1.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from .rooms import ROOT, prepare

TESTS = {
    "returns.cpp": ["test_returns.py"],
    "normalizer.cpp": ["test_normalize.py", "test_rollout.py"],
    "policy.cpp": ["test_policy.py", "test_heads.py", "test_rollout.py"],
}


@dataclass(frozen=True)
class Edit:
    """One fault: what stands in a file of the core, what is put there, and why it may live."""

    file: str
    before: str
    after: str
    lives: str = ""

    def apply(self, cpp: Path) -> None:
        """Put it into a file that holds the text once."""
        path = cpp / self.file
        text = path.read_text()
        if text.count(self.before) != 1:
            raise ValueError(f"{self.file}: expected once: {self.before}")
        path.write_text(text.replace(self.before, self.after))

    def __str__(self) -> str:
        return f"{self.file}: {' '.join(self.before.split())}  ->  {' '.join(self.after.split())}"


def edits() -> list[Edit]:
    """Those of `core_edits.toml`."""
    with (Path(__file__).parent / "core_edits.toml").open("rb") as file:
        return [Edit(**entry) for entry in tomllib.load(file)["edit"]]


class Copy:
    """A copy of the sources with a build of its own, which the tests of the copy import."""

    def __init__(self, folder: Path) -> None:
        self.environment = prepare(folder, [])
        self.folder, self.build = folder, folder / "build"
        shutil.copy(ROOT / "CMakeLists.txt", folder)
        shutil.copytree(ROOT / "cpp", folder / "cpp")
        self._run("cmake", "-S", ".", "-B", "build", "-DCMAKE_BUILD_TYPE=Release",
                  f"-DPython_EXECUTABLE={sys.executable}")  # fmt: skip

    def _run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd=self.folder, env=self.environment, text=True, check=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def compile(self) -> None:
        """Build the module and put it into the package."""
        self._run("cmake", "--build", "build", "--parallel")
        (module,) = self.build.glob("_core*.so")
        shutil.copy(module, self.folder / "pgcore")

    def restore(self, file: str) -> None:
        """The file as it is in the sources."""
        shutil.copy(ROOT / "cpp" / "pgcore" / file, self.folder / "cpp" / "pgcore")

    def passes(self, file: str) -> bool:
        """Whether the tests of a file of the core pass."""
        tests = [f"tests/{name}" for name in TESTS[file]]
        command = [sys.executable, "-m", "pytest", "-x", "-p", "no:cacheprovider", *tests]
        environment = self.environment | {"PYTHONPATH": f"{self.folder}:{self.folder / 'site'}"}
        result = subprocess.run(
            command, cwd=self.folder, env=environment, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        return result.returncode == 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--first", type=int, default=0, help="the number of an edit")
    parser.add_argument("--count", type=int, default=None, help="of edits; default: all")
    arguments = parser.parse_args()
    every = edits()
    some = every[arguments.first :][: arguments.count]
    copy = Copy(ROOT / "build" / "mutation-core")
    copy.compile()
    for file in dict.fromkeys(edit.file for edit in some):
        if not copy.passes(file):
            sys.exit(f"the tests of {file} fail without an edit: see {copy.folder}")
    wrong = []
    for edit in tqdm(some, unit="edit"):
        edit.apply(copy.folder / "cpp" / "pgcore")
        copy.compile()
        if copy.passes(edit.file) != bool(edit.lives):
            wrong.append(edit)
            word = "is explained, but does not live" if edit.lives else "lives"
            tqdm.write(f"edit {every.index(edit)} {word}: {edit}")
        copy.restore(edit.file)
    explained = sum(bool(e.lives) for e in some)
    print(f"{len(some)} edits: {len(some) - explained} to be seen, {explained} explained")
    print(f"{len(wrong)} otherwise" if wrong else "all as expected")
    return int(bool(wrong))


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.exit(main())
