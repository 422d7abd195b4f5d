"""The requirement of mujoco that a wheel gets: the version that it was built with, exactly.

The extension links to the library by its versioned name, so no other one can be loaded. A source
distribution is open: the version is chosen when it is built, by a constraint.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping
from typing import Any

FIRST = "3.17.0"  # the first one with mjbatch.h


class BuiltMujoco:
    """A provider of dynamic metadata for scikit-build-core."""

    def __init__(self) -> None:
        self._state = "wheel"

    def build_state(self, build_state: str) -> None:
        self._state = build_state

    def dynamic_wheel(self, settings: Mapping[str, Any]) -> dict[str, bool]:
        return {"dependencies": True}

    def dynamic_metadata(
        self, settings: Mapping[str, Any], project: Mapping[str, Any]
    ) -> dict[str, list[str]]:
        if self._state == "sdist":
            return {"dependencies": [f"mujoco>={FIRST}"]}
        return {"dependencies": [f"mujoco=={importlib.metadata.version('mujoco')}"]}
