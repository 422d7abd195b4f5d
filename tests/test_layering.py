"""The direction of dependencies, and definitions that must agree."""

import ast
import inspect
import re

import pytest

from conftest import ROOT
from pgcore import _core

PACKAGE = ROOT / "python" / "pgcore"
CPP = ROOT / "cpp"


def imports(path):
    """Modules that a file imports, also inside functions, but not for type checking only."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {a.name for a in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{a.name}" for a in node.names}
    return names


def modules():
    return {str(p.relative_to(PACKAGE)): imports(p) for p in PACKAGE.rglob("*.py")}


def uses(names, package):
    return any(n == package or n.startswith(package + ".") for n in names)


def test_only_the_command_line_imports_studies():
    users = {m for m, names in modules().items() if uses(names, "pgcore.studies")}
    inside = {m for m in users if m.startswith("studies/")}
    assert users - inside == {"cli.py", "__init__.py"}


def test_heavy_libraries_stay_in_their_rooms():
    for module, names in modules().items():
        if not module.startswith("studies/"):
            for library in ("xarray", "zarr", "matplotlib", "dask", "distributed"):
                assert not uses(names, library), (module, library)
        if uses(names, "matplotlib"):
            assert module.startswith("studies/figures/"), module


def test_learning_knows_nothing_native():
    for module in ("objectives.py", "mlp.py", "nets.py", "optimizer.py", "ppo.py", "trpo.py"):
        names = modules()[module]
        for native in ("pgcore._core", "pgcore.rollouts", "pgcore.returns", "pgcore.tasks"):
            assert not uses(names, native), (module, native)


def test_figures_read_datasets_only():
    measures = ("pgcore.studies.statistics", "pgcore.studies.surface_measures")
    allowed = ("pgcore.arrays", *measures, "pgcore.studies.figures")
    for module, names in modules().items():
        if module.startswith("studies/figures/"):
            own = {n for n in names if n.startswith("pgcore.")}
            assert all(n.startswith(allowed) for n in own), (module, own)


def includes(path):
    return set(re.findall(r'#include [<"]([^>"]+)[>"]', path.read_text()))


@pytest.mark.parametrize("name", ["random", "policy", "returns", "normalizer"])
def test_mathematics_knows_no_mujoco(name):
    for suffix in (".hpp", ".cpp"):
        found = includes(CPP / "pgcore" / (name + suffix))
        assert not {i for i in found if "mujoco" in i or "task" in i or "terms" in i}, found


def test_terms_see_neither_policy_nor_threads():
    for path in (CPP / "pgcore" / "terms").iterdir():
        found = includes(path)
        assert not {i for i in found if "policy" in i or "batch" in i or "stream" in i}, path
        assert not found & {"thread", "mutex", "atomic"}, path


def test_python_is_seen_by_the_bindings_only():
    for path in (CPP / "pgcore").rglob("*.?pp"):
        assert not {i for i in includes(path) if "pybind" in i or "Python.h" in i}, path


def test_the_stub_describes_the_extension():
    """Every function of _core, with the same parameter names in the same order."""
    stub = ast.parse((PACKAGE / "_core.pyi").read_text())
    described = {n.name: n for n in stub.body if isinstance(n, ast.FunctionDef)}
    native = {
        name: value
        for name, value in vars(_core).items()
        if inspect.isbuiltin(value) and not name.startswith("_")
    }
    assert set(described) == set(native)
    for name, function in native.items():
        signature = function.__doc__.splitlines()[0]
        inner = re.sub(r"\[[^\]]*\]", "", signature[signature.index("(") + 1 :])
        runtime = re.findall(r"(\w+): ", inner.split(") ->")[0])
        node = described[name].args
        assert [a.arg for a in node.args + node.kwonlyargs] == runtime, name


def test_mujoco_is_pinned_once():
    text = (ROOT / "pyproject.toml").read_text()
    pins = set(re.findall(r"mujoco==([\d.]+)", text))
    constraint = re.search(r"^mujoco==(\S+)$", (ROOT / "constraints.txt").read_text(), re.M)
    assert pins == {constraint.group(1)}


def test_files_and_functions_have_one_purpose():
    """A function of more than 50 lines or a file of more than 300 is a room with two purposes."""
    for path in [*PACKAGE.rglob("*.py"), *CPP.rglob("*.?pp")]:
        assert len(path.read_text().splitlines()) <= 300, path
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                body = node.body[1:] if ast.get_docstring(node) else node.body
                if body:
                    assert node.end_lineno - body[0].lineno < 60, (path, node.name)
