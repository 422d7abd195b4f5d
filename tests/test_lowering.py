"""The law of lowering: what ``lowered=True`` does to a model changes no bit of any trajectory.

The plain loop is held to the simulator's own Python interface; the lowered one to the plain loop,
in every array of a rollout, on models that a shortcut could get wrong. Each feature that a model is
about is seen to matter, so that the tests can fail.
"""

import mujoco
import numpy as np
import pytest

import pgcore
import zoo
from conftest import TASKS, make_policy

STREAMS, STEPS = 3, 250
ZOO = [pytest.param(path, id=name) for name, path in zoo.zoo().items()]
BIT = mujoco.mjtDisableBit


def assert_equal_arrays(expected, got):
    """Every array equal to the bit; the message says where they part."""
    assert set(expected) == set(got)
    parted = {name: zoo.first_difference(expected[name], got[name]) for name in expected}
    assert not any(parted.values()), {k: v for k, v in parted.items() if v}


def rollout(spec, lowered, steps=210, spread=0.8):
    """Rollouts of two members, with resets inside; every array by its name."""
    task = pgcore.make_task(spec, lowered=lowered)
    policy = make_policy(task, 2, (16,), spread=spread, seed=1)
    return pgcore.collect(task, policy, steps, streams=2, seed=5).arrays()


def arrays_of(replayed):
    assert not replayed["errors"]
    return {name: value for name, value in replayed.items() if name != "errors"}


@pytest.fixture(scope="module")
def walks():
    """The plain loop's walk of each model, made once."""
    made = {}

    def walk(path):
        if path not in made:
            m = mujoco.MjModel.from_xml_path(str(path))
            start = zoo.random_start(m, STREAMS, STEPS)
            made[path] = (start, zoo.plain_walk(m, *start))
        return made[path]

    return walk


def test_the_zoo_is_complete():
    """Sixteen models at least: a lost file is a lost law."""
    assert len(ZOO) >= 16


@pytest.mark.parametrize("path", ZOO)
def test_the_plain_loop_is_the_simulators(path, walks):
    """Unlowered, a task steps as mj_step does, to the bit."""
    start, walk = walks(path)
    task = pgcore.make_task(zoo.spec_of(path), lowered=False)
    got = arrays_of(zoo.replay(task, *start))
    expected = {"qpos": walk.qpos, "qvel": walk.qvel}
    assert_equal_arrays(expected, {name: got[name] for name in expected})


@pytest.mark.parametrize("path", ZOO)
def test_contacts_push(path, walks):
    """The walks that are compared meet things, all the time or at least a fifth of it, and move."""
    _, walk = walks(path)
    assert np.isfinite(walk.qpos).all() and np.abs(walk.qvel).max() < 100, "no explosion"
    assert (walk.pushing > 0).mean() > 0.2
    assert len(np.unique(walk.contacts)) > 2, "contacts come and go"


@pytest.mark.parametrize("forces", [True, False], ids=["forces", "bare"])
@pytest.mark.parametrize("path", ZOO)
def test_replays_equal_the_plain_loop(path, forces, walks):
    """From injected states with held actions, lowered and not, every array to the bit.

    Tasks with and without terms that read contact forces: lowering may treat them apart.
    """
    start, _ = walks(path)
    spec = zoo.spec_of(path, forces)
    plain, lowered = (pgcore.make_task(spec, lowered=flag) for flag in (False, True))
    assert_equal_arrays(
        arrays_of(zoo.replay(plain, *start)), arrays_of(zoo.replay(lowered, *start))
    )


@pytest.mark.parametrize("frame_skip", [1, 4])
@pytest.mark.parametrize("path", ZOO)
def test_rollouts_equal_the_plain_loop(path, frame_skip):
    """With resets inside, so that a simulation's buffers are used again."""
    spec = zoo.spec_of(path, frame_skip=frame_skip)
    plain = rollout(spec, lowered=False)
    assert not plain["warnings"].any()
    assert_equal_arrays(plain, rollout(spec, lowered=True))


@pytest.mark.parametrize("lowered", [True, False])
@pytest.mark.parametrize("name", ["sleeping", "ipc"])
def test_models_with_state_outside_the_state_are_refused(name, lowered):
    """Streams change places between simulations: said before anything runs."""
    flag = {"sleeping": "sleep", "ipc": "ipc"}[name]
    with pytest.raises(ValueError, match=f"^xml: .*{flag}"):
        pgcore.make_task(zoo.spec_of(zoo.MODELS / "refused" / f"{name}.xml"), lowered=lowered)


@pytest.mark.parametrize("task_id", TASKS)
def test_built_in_tasks_equal_the_plain_loop(task_id):
    plain = rollout(task_id, lowered=False, steps=400, spread=0.1)
    assert_equal_arrays(plain, rollout(task_id, lowered=True, steps=400, spread=0.1))


# What a model is about, taken away: (model, field of the model or of its options, value).
CHANGES = [
    ("parameters", "geom_margin", 0.0),
    ("parameters", "geom_priority", 0),
    ("parameters", "geom_solmix", 1.0),
    ("parameters", "geom_condim", 3),
    ("parameters", "geom_friction", 0.5),
    ("parameters", "geom_solref", [0.02, 1.0]),
    ("parameters", "geom_solimp", [0.9, 0.95, 0.001, 0.5, 2.0]),
    ("filters", "geom_contype", 1),
    ("filters", "geom_conaffinity", 1),
    ("filters", "opt.disableflags", 0),
    ("welded", "opt.disableflags", int(BIT.mjDSBL_FILTERPARENT)),
    ("exclusions", "exclude_signature", 0),
    ("exclusions", "pair_margin", 0.0),
    ("exclusions", "pair_dim", 3),
    ("exclusions", "pair_solref", [0.02, 1.0]),
    ("exclusions", "pair_solimp", [0.9, 0.95, 0.001, 0.5, 2.0]),
    ("exclusions", "pair_friction", [1.0, 1.0, 0.005, 0.0001, 0.0001]),
    ("adhesion", "geom_gap", 0.0),
    ("adhesion", "geom_adhesion", 0.0),
    ("adhesion", "geom_surfacevel", 0.0),
    ("override", "opt.enableflags", 0),
    ("override", "opt.o_margin", 0.0),
    ("speculative", "opt.enableflags", 0),
    ("fluid", "opt.density", 0.0),
    ("fluid", "geom_fluid", 0.0),
    ("mocap", "eq_active0", 0),
    ("terrain", "hfield_data", 0.0),
    ("tendons", "tendon_limited", 0),
    ("meshes", "opt.disableflags", int(BIT.mjDSBL_MULTICCD)),
    ("stack_cg", "opt.iterations", 100),
    ("stack_cg", "opt.disableflags", int(BIT.mjDSBL_ISLAND)),
    ("many_trees", "opt.disableflags", int(BIT.mjDSBL_ISLAND)),
    ("pgs_elliptic", "opt.noslip_iterations", 0),
    ("attached", "exclude_signature", 0),
    ("defaults", "pair_margin", 0.0),
    ("delays", "actuator_delay", 0.0),
    ("delays", "jnt_springyield", 0.0),
    # the mid-phase decides the order of contacts between two bodies
    ("many_geoms", "opt.disableflags", int(BIT.mjDSBL_MIDPHASE)),
    ("one_tree", "opt.disableflags", int(BIT.mjDSBL_MIDPHASE)),
    ("one_against_many", "opt.disableflags", int(BIT.mjDSBL_MIDPHASE)),
    ("row_of_tools", "opt.disableflags", int(BIT.mjDSBL_MIDPHASE)),
]


@pytest.mark.parametrize(
    ("name", "field", "value"), [change for change in CHANGES if change[0] in zoo.zoo()]
)
def test_what_a_model_is_about_matters(name, field, value, walks):
    """Without it the walk is another one: a lowering that forgot it would be seen."""
    path = zoo.zoo()[name]
    start, walk = walks(path)
    m = mujoco.MjModel.from_xml_path(str(path))
    owner = m.opt if field.startswith("opt.") else m
    field = field.removeprefix("opt.")
    before = np.copy(getattr(owner, field))
    if np.ndim(getattr(owner, field)):
        getattr(owner, field)[:] = value
    else:
        setattr(owner, field, value)
    assert not np.array_equal(before, getattr(owner, field)), "the model has the feature"
    assert zoo.first_difference(walk.qpos, zoo.plain_walk(m, *start).qpos)
