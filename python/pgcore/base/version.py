"""The package's version, and the check of the installed MuJoCo."""

import importlib.metadata
from typing import Final


def installation(what: str, versions: str = "constraints.txt") -> str:
    """The command that installs something with the versions of a file, from pgcore's folder.

    Which of the variables an isolated build listens to depends on pip's own version.
    """
    names = ("PIP_CONSTRAINT", "PIP_BUILD_CONSTRAINT")
    return " ".join([*(f"{name}=$PWD/{versions}" for name in names), "pip install", what])


try:
    from pgcore._build_info import MUJOCO_VERSION
except ModuleNotFoundError:
    raise ImportError(
        "pgcore is here as source code, whose compiled part is missing; in pgcore's folder: "
        f"`{installation('.')}`"
    ) from None

__version__: Final[str] = "0.1.0"  # that of pyproject.toml; a test compares them


def check_mujoco() -> None:
    """Raise ImportError if the installed mujoco is not the one of the build, or none is.

    The extension links to that version's library by name, so another one cannot be loaded.
    """
    try:
        found = importlib.metadata.version("mujoco")
    except importlib.metadata.PackageNotFoundError:
        raise ImportError(
            f"pgcore needs mujoco, which is not installed: `pip install mujoco=={MUJOCO_VERSION}`"
        ) from None
    if found != MUJOCO_VERSION:
        raise ImportError(
            f"pgcore was built against mujoco {MUJOCO_VERSION}, but mujoco {found} is "
            f"installed. Either run `pip install mujoco=={MUJOCO_VERSION}`, or rebuild pgcore "
            "against the installed version, in pgcore's folder: "
            f"`{installation('.', 'only.txt')}`, where only.txt has the one line "
            f"mujoco=={found}."
        )
