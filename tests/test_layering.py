"""The direction of dependencies, and definitions that must agree."""

import ast
import importlib
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


# Which rooms a room may use. Nothing points up, and so there is no circle between rooms.
_BELOW = {"base", "tasks", "policies", "rollout", "learning"}
ARROWS = {
    "base": set(),
    "tasks": {"base"},
    "policies": {"base"},
    "rollout": {"base", "tasks", "policies"},
    "learning": {"base", "tasks", "policies", "rollout"},
    "agent_parts": _BELOW,
    "agent": {*_BELOW, "agent_parts"},
    "agent_file": {*_BELOW, "agent"},
    "training": {*_BELOW, "agent"},
    "importers": {*_BELOW, "agent"},
    "playback": {*_BELOW, "agent", "agent_file", "training"},
    "studies": {*_BELOW, "agent", "agent_file", "training"},
}
FACE = {"__init__", "__main__", "cli"}  # may name everything, and nothing names them


def room(module):
    """The room of ``pgcore.room.module``, or of a file's path."""
    return re.split(r"[./]", module.removeprefix("pgcore.").removesuffix(".py"))[0]


def own(names):
    return {n for n in names if n.startswith("pgcore.")}


def test_no_room_uses_one_above_it():
    seen = set()
    for module, names in modules().items():
        here = room(module)
        if here in FACE:
            continue
        used = {room(n) for n in own(names)} - {here, "_core", "_build_info"}
        assert used <= ARROWS[here], (module, used - ARROWS[here])
        seen.add(here)
    assert seen == set(ARROWS), "every room is there, and none besides"


def test_modules_of_a_room_make_no_circle():
    """Imports at the head of the files, followed from each file: none comes back to it."""
    graph = {}
    for path in PACKAGE.rglob("*.py"):
        name = ".".join(["pgcore", *path.relative_to(PACKAGE).with_suffix("").parts])
        graph[name.removesuffix(".__init__")] = own(imports(path))
    for start in graph:
        seen, todo = set(), [start]
        while todo:
            for name in graph.get(todo.pop(), ()):
                if name in graph and name not in seen and graph[name] is not None:
                    seen.add(name)
                    todo.append(name)
        assert start not in seen or start in ("pgcore", "pgcore.cli"), start


def test_heavy_libraries_stay_in_their_rooms():
    for module, names in modules().items():
        if room(module) != "studies":
            for library in ("xarray", "zarr", "matplotlib", "dask", "distributed"):
                assert not uses(names, library), (module, library)
        if uses(names, "matplotlib"):
            drawn = re.search(r"figures?\.py$|style\.py$", module)
            assert drawn, module


def test_learning_knows_nothing_native():
    known = modules()
    for module in ("learning/objectives.py", "learning/ppo.py", "learning/trpo.py"):
        for native in ("pgcore._core", "pgcore.rollout", "pgcore.tasks"):
            assert not uses(known[module], native), (module, native)


def test_figures_read_datasets_only():
    """Figures, tables and pages know arrays, measures and each other; never agents or stores."""
    for module, names in modules().items():
        if re.search(r"(figures?|table|page|style)\.py$", module) and room(module) == "studies":
            for name in own(names):
                drawn = re.search(r"(figures?|table|page|style)(\.|$)", name)
                base = re.search(r"^pgcore\.base\.(arrays|quantiles|words)", name)
                assert drawn or base or name.startswith("pgcore.studies.measures"), (module, name)


def test_the_gaussian_stays_in_its_room():
    """Other rooms ask a policy for distributions and gradients; they know no log_std of its."""
    for path in PACKAGE.rglob("*.py"):
        if path.parent.name not in ("policies", "importers"):  # of other libraries' networks
            text = path.read_text().replace("config.log_std", "")
            assert not re.search(r"tensors\[-1\]|\.log_std\b|_log_std|2 \* math\.pi", text), path


def includes(path):
    return set(re.findall(r'#include [<"]([^>"]+)[>"]', path.read_text()))


@pytest.mark.parametrize("name", ["random", "activation", "policy", "returns", "normalizer"])
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
    """By the constraint; a wheel takes the version over from its build."""
    assert "mujoco==" not in (ROOT / "pyproject.toml").read_text()
    assert len(re.findall(r"^mujoco==\S+$", (ROOT / "constraints.txt").read_text(), re.M)) == 1


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


def test_text_has_the_same_encoding_everywhere():
    """Python takes the locale's where none is given, and an ASCII one knows no Greek."""
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                given = {k.arg for k in node.keywords}
                if node.func.attr in ("read_text", "write_text"):
                    assert "encoding" in given, (path, node.lineno)
                modes = [a.value for a in node.args if isinstance(a, ast.Constant)]
                if node.func.attr == "open" and ("newline" in given or {"w", "a", "r"} & {*modes}):
                    assert "encoding" in given, (path, node.lineno)


def lacking_imports(path):
    """What a file imports from pgcore that is not there."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "pgcore":
            module = importlib.import_module(node.module)
            for name in (a.name for a in node.names):
                if not hasattr(module, name):
                    try:
                        importlib.import_module(f"{node.module}.{name}")
                    except ModuleNotFoundError:
                        yield f"{path.relative_to(ROOT)}: {node.module}.{name}"


def test_scripts_import_what_is_there():
    """Also those that no test runs: measurements, releases, campaigns."""
    scripts = [
        p
        for f in ("experiments", "benchmarks", "release", "tests")
        for p in (ROOT / f).rglob("*.py")
    ]
    assert len(scripts) > 100
    assert not [line for path in scripts for line in lacking_imports(path)]
