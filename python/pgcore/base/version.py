"""The package's version, and the check of the installed MuJoCo."""

import importlib.metadata

import mujoco

from pgcore._build_info import MUJOCO_VERSION

__version__: str = importlib.metadata.version("pgcore")


def check_mujoco() -> None:
    """Raise ImportError if the installed mujoco is not the one of the build.

    The extension links to that version's library by name, so another one cannot be loaded.
    """
    if mujoco.__version__ != MUJOCO_VERSION:
        raise ImportError(
            f"pgcore was built against mujoco {MUJOCO_VERSION}, but mujoco {mujoco.__version__} is "
            f"installed. Either run `pip install mujoco=={MUJOCO_VERSION}`, or rebuild pgcore "
            "against the installed version: `pip install --force-reinstall --no-deps pgcore`."
        )
