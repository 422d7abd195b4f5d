"""What is installed, and from where: names, versions, and the mujoco that a wheel requires."""

import ast
import importlib.metadata
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import mujoco
import pytest

import pgcore
from conftest import ROOT
from pgcore._build_info import MUJOCO_VERSION
from pgcore.base.version import check_mujoco

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def texts():
    """Every text of the project that a user or a developer may read."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    for name in listed.stdout.split():
        path = ROOT / name
        if path.suffix in (".md", ".py", ".toml", ".txt", ".yml", "") and path.is_file():
            yield path, path.read_text()


def test_nobody_is_told_to_install_the_other_pgcore():
    advice = re.compile(r"""pip install [^\n`]*(?<![\w./-])['"]?pgcore(?![\w-])""")
    assert advice.search("pip install --no-deps pgcore`") and advice.search(
        "pip install 'pgcore[x]'"
    )
    found = [str(path) for path, text in texts() if advice.search(text)]
    assert found == [str(Path(__file__))]  # the line above
    assert not [d for d in extras() if re.match(r"pgcore\b(?!-rl)", d)]


def extras():
    return [d for more in PROJECT["project"]["optional-dependencies"].values() for d in more]


def test_the_distribution_has_a_name_of_its_own():
    assert PROJECT["project"]["name"] == "pgcore-rl"
    assert "pgcore-rl[test]" in extras()
    assert PROJECT["project"]["version"] == pgcore.__version__


def test_a_wheel_requires_the_mujoco_of_its_build(monkeypatch):
    """And a source distribution any that has the batch interface, as the build does."""
    (entry,) = PROJECT["tool"]["dynamic-metadata"]
    monkeypatch.syspath_prepend(str(ROOT / entry["provider"]["path"]))
    import built_mujoco

    provider = built_mujoco.BuiltMujoco()
    for state in ("wheel", "editable", "metadata_wheel"):
        provider.build_state(state)
        version = importlib.metadata.version("mujoco")
        assert provider.dynamic_metadata({}, {}) == {"dependencies": [f"mujoco=={version}"]}
    provider.build_state("sdist")
    assert provider.dynamic_metadata({}, {}) == {"dependencies": ["mujoco>=3.17.0"]}
    assert "mujoco>=3.17" in PROJECT["build-system"]["requires"]
    assert (Path(mujoco.__file__).parent / "include" / "mujoco" / "mjbatch.h").exists()


def test_another_mujoco_is_refused_by_name(monkeypatch):
    check_mujoco()
    own = mujoco.__version__
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "9.9.9")
    text = rf"built against mujoco {re.escape(own)}, but mujoco 9\.9\.9"
    with pytest.raises(ImportError, match=text) as caught:
        check_mujoco()
    assert f"pip install mujoco=={own}" in str(caught.value)
    assert "one line mujoco==9.9.9" in str(caught.value)


def test_a_mujoco_that_is_missing_is_named(monkeypatch):
    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    with pytest.raises(ImportError, match=rf"not installed: `pip install mujoco=={MUJOCO_VERSION}"):
        check_mujoco()


def test_source_code_that_was_not_built_says_so(tmp_path):
    """In one line, and without advice to install the other package of that name."""
    shutil.copytree(ROOT / "python" / "pgcore", tmp_path / "pgcore")
    done = subprocess.run(
        [sys.executable, "-S", "-c", "import pgcore"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    last = done.stderr.splitlines()[-1]
    assert last.startswith("ImportError: pgcore is here as source code") and "install ." in last
    assert "During handling" not in done.stderr


def test_every_extra_is_pinned():
    pinned = re.findall(r"^([\w-]+)==", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    known = {name.lower().replace("_", "-") for name in pinned}
    for requirement in [*PROJECT["project"]["dependencies"], *extras()]:
        name = re.match(r"[\w-]+", requirement)[0].lower()
        assert name in known or name == "pgcore-rl", requirement


def imported(folder):
    """What the files of a folder import, standard library apart: a module to a file."""
    found = {}
    for path in sorted((ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            else:
                names = [node.module] if isinstance(node, ast.ImportFrom) and not node.level else []
            found |= {str(name).partition(".")[0]: path for name in names}
    return {name: path for name, path in found.items() if name not in sys.stdlib_module_names}


def named(requirements):
    """The modules of the distributions that these requirements name themselves."""
    bare = [re.split("[<>=!~]", one)[0].lower() for one in requirements]  # dask[distributed]
    names = {name for one in bare for name in re.findall(r"[\w-]+", one)}
    return {
        module
        for module, owners in importlib.metadata.packages_distributions().items()
        if names & {owner.lower().replace("_", "-") for owner in owners}
    }


def test_what_is_imported_is_required_by_name():
    """Not left to what another package happens to bring, or to what a developer once installed."""
    needs = [*PROJECT["project"]["dependencies"], "mujoco"]
    optional = named(extras())
    package = imported("python/pgcore").items()
    assert {m: p for m, p in package if m not in named(needs) | optional | {"pgcore"}} == {}
    assert {m for m, _ in package if m not in named(needs) | {"pgcore"}} == {
        "distributed", "imageio_ffmpeg", "pyarrow", "stable_baselines3",
    }  # fmt: skip
    others = ["tests", "experiments", "benchmarks", "docs", "release"]
    own = {path.stem for folder in others for path in (ROOT / folder).rglob("*.py")}
    own |= {path.name for folder in others for path in (ROOT / folder).rglob("*") if path.is_dir()}
    for folder in others:
        for module, path in imported(folder).items():
            if module not in own | named([*needs, *extras()]) | {"pgcore"}:
                assert module in UNREQUIRED.get(path.name, ()), f"{path}: {module}"


# what runs in an environment of its own, which the file describes, and a module of a page's reader
UNREQUIRED = {
    "record_agents.py": ("ray", "rl_games", "rsl_rl", "skrl", "spinup", "tensordict", "tianshou",
                         "torchrl"),
    "bindings.py": ("atheris",), "bench_collect_envpool.py": ("envpool",),
    "test_docs.py": ("disturbance_study",),
}  # fmt: skip


def test_a_wheel_is_refused_where_a_python_is_missing():
    """Before anything is built."""
    done = subprocess.run(
        [sys.executable, ROOT / "release" / "wheels.py", "build", "--pythons", "2.1"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "no Python 2.1: expected python2.1 on the path" in done.stderr


def test_make_puts_no_python_over_another(tmp_path):
    """An environment that is there keeps its interpreter; one without pip is made."""
    environment = tmp_path / "environment"

    def planned():
        command = [
            "make",
            "--dry-run",
            f"VENV={environment}",
            "PYTHON=other",
            environment / "tools",
        ]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        return done.stdout

    assert f"other -m venv {environment}" in planned()
    (environment / "bin").mkdir(parents=True)
    (environment / "bin" / "pip").touch()
    assert "-m venv" not in planned() and "pip install" in planned()
