"""The environments of `drift.py`: one for each version of MuJoCo, made by pip from pins."""

from __future__ import annotations

import json
import subprocess
import venv
from pathlib import Path

WORKER = Path(__file__).with_name("drift_worker.py")
# what is installed, and the task versions there; one Gymnasium, so that MuJoCo alone differs,
# but for the last, which shows what an older one changes
RULES = ("v2", "v4", "v5")
ENVIRONMENTS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "2.3.7": (("mujoco==2.3.7", "gymnasium[mujoco]==1.4.0", "numpy==1.26.4"), RULES),
    "3.4.0": (("mujoco==3.4.0", "gymnasium[mujoco]==1.4.0", "numpy==2.4.6"), RULES),
    "3.17.0": (("mujoco==3.17.0", "gymnasium[mujoco]==1.4.0", "numpy==2.4.6"), RULES),
    "4.0.0": (("mujoco==4.0.0", "gymnasium[mujoco]==1.4.0", "numpy==2.4.6"), RULES),
    "2.3.7-old": (("mujoco==2.3.7", "gymnasium[mujoco]==0.29.1", "numpy==1.26.4"), RULES[:2]),
}


def made_environment(name: str, folder: Path) -> Path:
    """The Python of a version's environment, made if it is not there; RuntimeError: pip failed."""
    pins, _ = ENVIRONMENTS[name]
    python, mark = folder / name / "bin" / "python", folder / name / "pins.txt"
    if not mark.is_file() or mark.read_text() != "\n".join(pins):
        print(f"{name}: installing {' '.join(pins)}", flush=True)
        venv.create(folder / name, clear=True, with_pip=True)
        command = [str(python), "-m", "pip", "install", "--quiet", *pins]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"pip failed: {last_line(done.stderr)}")
        mark.write_text("\n".join(pins))
    return python


def versions_of(python: Path) -> dict[str, str]:
    """What an environment's worker says of itself; RuntimeError: it does not start."""
    command = [str(python), str(WORKER), "--versions"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"the worker does not start: {last_line(done.stderr)}")
    found: dict[str, str] = json.loads(done.stdout)
    return found


def last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no message"])[-1]
