"""What made a result: versions, build, machine."""

from __future__ import annotations

import functools
import importlib.metadata
import math
import platform
from pathlib import Path
from typing import Any

from pgcore import _core
from pgcore.base.threads import default_threads, thread_limits
from pgcore.base.version import __version__

PACKAGES = ("mujoco", "gymnasium", "numpy", "torch", "xarray", "zarr", "safetensors")


def versions() -> dict[str, str]:
    """Versions of pgcore and of the packages that a result depends on."""
    found = {"pgcore": __version__, "python": platform.python_version()}
    return found | {name: _installed(name) for name in PACKAGES}


@functools.cache
def _installed(package: str) -> str:
    return importlib.metadata.version(package)  # reads and parses a file


def cpu_name() -> str:
    """The CPU's model name."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or "unknown"


def attributes() -> dict[str, Any]:
    """Provenance attributes of a dataset: versions, CPU, threads."""
    found = {f"version_{name}": value for name, value in versions().items()}
    return found | {"cpu": cpu_name(), "threads": default_threads()}


def describe_installation() -> str:
    """The text of `pgcore info`."""
    lines = [f"{name:<12}{value}" for name, value in versions().items()]
    lines += ["", "build"]
    lines += [f"  {name:<16}{value}" for name, value in _core.build.items()]
    lines += ["", f"CPU: {cpu_name()}", f"threads: {default_threads()}, the least of"]
    for name, limit in thread_limits().items():
        lines.append(f"  {name:<20}{'none' if math.isinf(limit) else f'{limit:g}'}")
    return "\n".join(lines)
