"""Record short runs of an old MuJoCo, whose contacts know the larger of two margins only.

Before MuJoCo 3.5 a contact took the larger of its two geoms' margins; since then it takes their
sum. The paper's agents ran under the old rule. This script writes down what the old simulator
does, so that ``tests/test_old_contacts.py`` can hold the new one to it. Run it in an environment
of its own (gymnasium is there for its model files only)::

    python3.11 -m venv old
    old/bin/pip install mujoco==2.3.7 "numpy<2" cloudpickle farama-notifications typing_extensions
    old/bin/pip install --no-deps gymnasium==1.4.0
    old/bin/python tests/data/record_contacts.py

It writes ``contacts-2.3.7.npz`` beside itself. For each model NAME the arrays are

    NAME_qpos0 [R, nq], NAME_qvel0 [R, nv]   the start of each of R runs, near the initial pose
    NAME_ctrl [R, T, nu]                     random controls, a new one at each step, on a grid
                                             of 1/64 of the range (a smaller file)
    NAME_qpos [R, T, nq], NAME_qvel [R, T, nv], NAME_ncon [R, T]   after each step
    NAME_sha256                              of the model file

One step is one ``mj_step`` (a frame of 1), with the integrator and timestep of the model file. No
solver state is carried over: each run starts from ``mj_resetData`` and ``mj_forward``.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import gymnasium
import mujoco
import numpy as np

VERSION = "2.3.7"
RUNS = 20
STEPS = {"hopper": 100, "walker2d": 100, "humanoid": 10}
# Height of the torso above the initial pose: low enough that the feet meet the floor at once. The
# humanoid's initial pose hangs in the air.
LIFT = {"hopper": 0.0, "walker2d": 0.0, "humanoid": -0.12}
ROOT_HEIGHT = {"hopper": 1, "walker2d": 1, "humanoid": 2}


def start_state(m, name, rng):
    """A random state near the initial pose."""
    qpos = m.qpos0 + rng.uniform(-5e-3, 5e-3, m.nq)
    qpos[ROOT_HEIGHT[name]] += LIFT[name]
    return qpos, rng.uniform(-5e-3, 5e-3, m.nv)


def run(m, qpos, qvel, ctrl):
    """The states and the number of contacts after each step."""
    d = mujoco.MjData(m)
    d.qpos[:], d.qvel[:] = qpos, qvel
    mujoco.mj_forward(m, d)
    states = []
    for u in ctrl:
        d.ctrl[:] = u
        mujoco.mj_step(m, d)
        states.append((d.qpos.copy(), d.qvel.copy(), d.ncon))
    return [np.array(column) for column in zip(*states)]  # noqa: B905


def record(name, rng):
    """Every array of one model, by its name in the file."""
    path = Path(gymnasium.__path__[0]) / "envs" / "mujoco" / "assets" / f"{name}.xml"
    m = mujoco.MjModel.from_xml_path(str(path))
    starts = [start_state(m, name, rng) for _ in range(RUNS)]
    grid = rng.integers(-64, 65, (RUNS, STEPS[name], m.nu)) / 64
    ctrl = grid * m.actuator_ctrlrange[:, 1]
    runs = [run(m, qpos, qvel, u) for (qpos, qvel), u in zip(starts, ctrl)]  # noqa: B905
    arrays = {
        "qpos0": np.array([qpos for qpos, _ in starts]),
        "qvel0": np.array([qvel for _, qvel in starts]),
        "ctrl": ctrl,
        "qpos": np.array([r[0] for r in runs]),
        "qvel": np.array([r[1] for r in runs]),
        "ncon": np.array([r[2] for r in runs], dtype=np.int32),
        "sha256": np.array(hashlib.sha256(path.read_bytes()).hexdigest()),
    }
    with_contact = (arrays["ncon"] > 0).mean()
    print(f"{name}: {with_contact:.0%} of the steps have contacts")
    return {f"{name}_{key}": value for key, value in arrays.items()}


def main():
    if mujoco.__version__ != VERSION:
        raise SystemExit(f"mujoco: expected {VERSION}, got {mujoco.__version__}")
    rng = np.random.default_rng(237)
    arrays = {"mujoco": np.array(VERSION)}
    for name in STEPS:
        arrays |= record(name, rng)
    out = Path(__file__).parent / f"contacts-{VERSION}.npz"
    np.savez_compressed(out, **arrays)
    print(f"{out.name}: {out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
