"""The bindings themselves, past every check in Python: arguments that know what is expected there.

Each call has the right names and mostly the right shapes; a few arrays and numbers are of another
kind, size or order. A call returns or raises an error of Python; it never ends the process. Without
options random calls are made in a watched process. With ``--coverage`` libFuzzer chooses them by
what they reach, through atheris (the extra "fuzz"); ``--core`` names a build of the module for it
(docs/campaigns.md).
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import tempfile
from pathlib import Path

import mujoco  # its library has to be there before a build of the module that lies elsewhere

from campaigns.binding_calls import Calls, Source
from campaigns.watched import HEADER, Result, Which, show, watch, work


def fault_of(error: Exception) -> str:
    """A binding may raise any error of Python but that of a broken interpreter."""
    return f"SystemError: {error}" if isinstance(error, SystemError) else ""


def _load(core: str) -> None:
    spec = importlib.util.spec_from_file_location("pgcore._core", core)
    assert spec is not None and spec.loader is not None and mujoco is not None
    sys.modules["pgcore._core"] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)


def by_coverage(core: str | None, options: list[str]) -> None:
    """libFuzzer chooses the calls; its options follow ``--``."""
    import atheris

    if core is not None:
        _load(core)
    calls = Calls()

    def one(data: bytes) -> None:
        _, call = calls(Source(atheris.FuzzedDataProvider(data)))
        try:
            call()
        except SystemError:
            raise
        except Exception:
            return

    atheris.Setup([sys.argv[0], *options], one)
    atheris.Fuzz()


def worker(which: Which, folder: Path) -> None:
    """Make random calls, in a process that is watched."""
    calls = Calls()
    work(lambda rng: calls(Source(rng)), fault_of, which, folder)


def campaign(count: int, seed: int, folder: Path) -> Result:
    """Random calls in a watched process."""
    print(HEADER, flush=True)
    result = watch(worker, ("bindings", seed, 0, count), folder)
    show(result)
    return result


def run() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--coverage", action="store_true")
    parser.add_argument("--core", help="a build of the module that counts what it reaches")
    options, rest = parser.parse_known_args()
    if options.coverage:
        by_coverage(options.core, [word for word in rest if word != "--"])
        return
    with tempfile.TemporaryDirectory() as folder:
        result = campaign(options.count, options.seed, Path(folder))
    raise SystemExit(bool(result.findings))


if __name__ == "__main__":
    run()
