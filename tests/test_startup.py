"""What starting costs: heavy libraries load late, and every public name is there."""

import ast
import json
import re
import subprocess
import sys

import pytest

import pgcore
from conftest import ROOT

HEAVY = (
    "torch", "xarray", "zarr", "scipy", "scipy.stats", "matplotlib", "gymnasium", "safetensors",
    "dask",
)  # fmt: skip
COMMAND = """
from contextlib import redirect_stdout, suppress
from io import StringIO
from pgcore.cli import main
with redirect_stdout(StringIO()) as out, suppress(SystemExit):
    main({arguments})
assert {text!r} in out.getvalue()
"""


def loaded(code):
    """The heavy libraries that a fresh interpreter has loaded after some code."""
    report = f"\nimport json, sys\nprint(json.dumps([m for m in {HEAVY} if m in sys.modules]))"
    done = subprocess.run(
        [sys.executable, "-c", code + report], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize(
    "code",
    [
        "import pgcore",
        "import pgcore; dir(pgcore)",
        "import pgcore; pgcore.make_task('Hopper-v2'), pgcore.gae, pgcore.SimulationError",
        COMMAND.format(arguments=["--help"], text="usage: pgcore COMMAND"),
        COMMAND.format(arguments=["tasks"], text="Hopper-v2"),
        COMMAND.format(arguments=["tasks", "Humanoid-v5"], text="observation (348)"),
        COMMAND.format(arguments=["info"], text="torch"),
    ],
)
def test_nothing_heavy_is_loaded_before_it_is_needed(code):
    assert loaded(code) == []


def test_a_command_listens_to_signals_before_it_loads_much():
    """What comes earlier finds Python's own handler, which prints a traceback."""
    code = "import sys, pgcore.cli; print({'mujoco', 'numpy', 'tyro'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "set()\n", done.stderr


def test_learning_loads_no_studies():
    assert loaded("import pgcore; pgcore.Trainer") == ["torch", "safetensors"]


def test_studies_come_with_their_name():
    found = set(loaded("from pgcore import studies"))
    assert {"torch", "xarray", "zarr", "scipy"} <= found
    assert not found & {"scipy.stats", "matplotlib"}  # half a second and more each


def test_every_public_name_is_there_and_listed():
    fresh = """
import pgcore
for name in [*pgcore._HOMES, "studies"]:
    assert name in dir(pgcore), name
    found = getattr(pgcore, name)
    assert getattr(found, "__module__", name).startswith(pgcore._HOMES.get(name, name)), name
for name in pgcore._HOMES:  # also after every module of the package was loaded
    assert callable(getattr(pgcore, name)), name
"""
    assert "torch" in loaded(fresh)
    with pytest.raises(AttributeError, match="module 'pgcore' has no attribute 'colect'"):
        pgcore.colect  # noqa: B018


def test_type_checkers_see_the_same_names():
    tree = ast.parse((ROOT / "python" / "pgcore" / "__init__.py").read_text())
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    seen = {a.name: node.module for node in block.body for a in node.names}
    assert seen == pgcore._HOMES | {"studies": "pgcore"}


def test_no_module_has_the_name_of_a_public_object():
    """Loading such a module would put it in the object's place."""
    modules = {p.stem for p in (ROOT / "python" / "pgcore").iterdir()}
    assert not modules & set(pgcore._HOMES)


def test_the_reference_has_every_public_name():
    listed = re.findall(r"^::: ([\w.]+)$", (ROOT / "docs" / "api.md").read_text(), re.MULTILINE)
    assert len(listed) == len(set(listed))
    assert {f"{home}.{name}" for name, home in pgcore._HOMES.items()} <= set(listed)
