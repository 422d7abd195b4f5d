"""Gymnasium's whole MuJoCo suite with its constructor options: parity, ids, errors."""

import inspect
import pickle
import re
from pathlib import Path

import gymnasium
import numpy as np
import pytest

import pgcore
from conftest import make_policy, small_config
from parity import assert_equal_pieces, replay_env
from pgcore.rollout.twin import make_env
from pgcore.tasks.gymnasium_suite.families import ENVIRONMENTS
from pgcore.tasks.gymnasium_suite.options import gymnasium_spec, parse_id
from pgcore.training.run import Run

# of what is old in Gymnasium's files
pytestmark = pytest.mark.filterwarnings("ignore:xml. MuJoCo warns of")

# A value of every option that is not its default, where one fits every family.
VALUES = {
    "frame_skip": 3,
    "forward_reward_weight": 2.5,
    "ctrl_cost_weight": 0.3,
    "contact_cost_weight": 2e-3,
    "contact_cost_range": (0.1, 0.5),
    "contact_force_range": (-0.4, 0.7),
    "impact_cost_weight": 1e-5,
    "impact_cost_range": (0.1, 0.5),
    "uph_cost_weight": 2.0,
    "healthy_reward": 0.7,
    "healthy_angle_range": (-0.1, 0.15),
    "healthy_state_range": (-3.0, 3.0),
    "main_body": "front_left_leg",
    "terminate_when_unhealthy": False,
    "reset_noise_scale": 0.05,
    "exclude_current_positions_from_observation": False,
    "include_cinert_in_observation": False,
    "include_cvel_in_observation": False,
    "include_qfrc_actuator_in_observation": False,
    "include_cfrc_ext_in_observation": False,
    "use_contact_forces": True,
    "reward_near_weight": 0.3,
    "reward_dist_weight": 0.4,
    "reward_control_weight": 0.6,
    "max_episode_steps": 25,
}
HEALTHY_Z = {
    "Ant": (0.6, 0.8),
    "Hopper": (1.0, 1.3),
    "Walker2d": (1.0, 1.25),
    "Humanoid": (1.2, 1.5),
}
WITHOUT_EFFECT = {
    ("HumanoidStandup-v5", "uph_cost_weight"),  # stored and never read
    ("Ant-v4", "contact_cost_weight"),  # nothing without use_contact_forces
    ("Ant-v4", "contact_force_range"),
}


def options_of(env_id):
    family, version = ENVIRONMENTS[env_id]
    return [*family.options(version), "max_episode_steps"]


def value_of(env_id, name, folder):
    if name == "healthy_z_range":
        return HEALTHY_Z[env_id.partition("-")[0]]
    if name != "xml_file":
        return VALUES[name]
    model = gymnasium_spec(env_id).xml_path().read_text()
    changed = model.replace("</mujoco>", '<option gravity="0 0 -9"/></mujoco>')
    path = folder / f"{env_id}.xml"
    path.write_text(changed)
    return str(path)


def gymnasium_class(env_id):
    module, _, name = gymnasium.spec(env_id).entry_point.partition(":")
    return getattr(__import__(module, fromlist=[name]), name)


def test_every_environment_that_gymnasium_can_make_is_there():
    registered = {}
    for env_id, spec in gymnasium.registry.items():
        if "gymnasium.envs.mujoco" in str(spec.entry_point) and env_id.endswith(("-v4", "-v5")):
            registered[env_id] = spec.max_episode_steps
    refused = {"Pusher-v4"}
    with pytest.raises(ImportError, match="mujoco<3"):
        gymnasium_class("Pusher-v4")()
    assert set(ENVIRONMENTS) == set(registered) - refused
    for env_id in ENVIRONMENTS:
        task = pgcore.make_task(env_id)
        assert task.time_limit == registered[env_id]
        assert task is pgcore.gymnasium_task(env_id)


@pytest.mark.parametrize("env_id", ENVIRONMENTS)
def test_options_and_defaults_are_those_of_gymnasium(env_id):
    parameters = inspect.signature(gymnasium_class(env_id).__init__).parameters
    theirs = {
        name: p.default
        for name, p in parameters.items()
        if name not in ("self", "kwargs", "default_camera_config")
    }
    family, version = ENVIRONMENTS[env_id]
    assert {name: default for name, (_, default) in family.options(version).items()} == theirs


def assert_parity(env_id, options, steps=80):
    task = pgcore.gymnasium_task(env_id, **options)
    env = make_env(task)
    assert env.unwrapped.spec.id == env_id
    rng = np.random.default_rng(5)
    actions = rng.normal(0, 0.6, (steps, task.act_dim)).astype(np.float32).astype(np.float64)
    pieces = replay_env(env, steps, actions, seed=17)
    assert_equal_pieces(task, pieces, actions)
    env.close()
    return task, pieces


@pytest.mark.parametrize("env_id", ENVIRONMENTS)
def test_every_option_alone_equals_gymnasium(env_id, tmp_path):
    default = gymnasium_spec(env_id)
    for name in options_of(env_id):
        task, _ = assert_parity(env_id, {name: value_of(env_id, name, tmp_path)})
        parts = ("xml", "frame_skip", "time_limit", "reset", "observation", "reward", "termination")
        same = all(getattr(task.spec, part) == getattr(default, part) for part in parts)
        assert same == ((env_id, name) in WITHOUT_EFFECT), name


@pytest.mark.parametrize("env_id", ENVIRONMENTS)
def test_all_options_together_equal_gymnasium(env_id, tmp_path):
    options = {name: value_of(env_id, name, tmp_path) for name in options_of(env_id)}
    _, pieces = assert_parity(env_id, options, steps=200)
    if options.get("terminate_when_unhealthy") is False:
        assert not any(p["terminated"].any() for p in pieces)
        assert sum(p["truncated"].any() for p in pieces) == 8
        # the healthy reward is paid on some steps and not on others; ending would end there
        again, _ = assert_parity(env_id, options | {"terminate_when_unhealthy": True}, steps=200)
        assert (
            again.native.termination_rules()[0] + " (unhealthy, but does not end)"
            == (pgcore.gymnasium_task(env_id, **options).native.termination_rules()[0])
        )


@pytest.mark.parametrize("env_id", ["Hopper-v4", "Hopper-v5", "Ant-v5", "Humanoid-v4"])
def test_unhealthy_states_lose_the_bonus_and_go_on(env_id):
    healthy = {"healthy_reward": 100.0, "healthy_z_range": HEALTHY_Z[env_id.partition("-")[0]]}
    _, pieces = assert_parity(env_id, healthy | {"terminate_when_unhealthy": False})
    paid = np.concatenate([p["rewards"] for p in pieces]) > 50.0
    assert paid.any() and not paid.all()
    _, ending = assert_parity(env_id, healthy)
    last = [p["rewards"][-1] > 50.0 for p in ending if p["terminated"].any()]
    assert last and set(last) == {env_id.endswith("-v4")}  # v4 pays it on the last step, too


@pytest.mark.parametrize(
    ("env_id", "options"),
    [
        ("Ant-v5", {"main_body": 4}),
        (
            "Ant-v5",
            {"contact_force_range": (-np.inf, 0.5), "include_cfrc_ext_in_observation": False},
        ),
        ("Ant-v4", {"use_contact_forces": True, "contact_cost_weight": 0.1}),
        ("Hopper-v5", {"healthy_z_range": (0.5, np.inf), "healthy_angle_range": (-np.inf, np.inf)}),
        ("Humanoid-v5", {"contact_cost_weight": 1e-4, "contact_cost_range": (0.0, np.inf)}),
        ("HumanoidStandup-v5", {"impact_cost_weight": 1.0}),
        ("Reacher-v5", {"frame_skip": 1, "max_episode_steps": 7}),
    ],
)
def test_more_options_equal_gymnasium(env_id, options):
    assert_parity(env_id, options, steps=150)


def test_ids_name_the_options_and_are_understood():
    task = pgcore.gymnasium_task(
        "Ant-v5", healthy_z_range=[0.3, np.inf], frame_skip=5, main_body="torso"
    )
    assert task.id == "Ant-v5(healthy_z_range=(0.3, inf), main_body='torso')"  # no defaults
    assert pgcore.make_task(task.id) is task
    assert pickle.loads(pickle.dumps(task)).spec == task.spec
    assert hash(task.spec) == hash(parse_id(task.id))
    assert task.spec.gymnasium_options == (
        ("healthy_z_range", (0.3, np.inf)),
        ("main_body", "torso"),
    )
    assert "healthy_z_range=(0.3, inf)" in task.spec.note
    assert pgcore.make_task("Ant-v5()").id == "Ant-v5"
    assert gymnasium_spec("Ant-v5", xml_file=Path("./my/ant.xml")).xml == "./my/ant.xml"
    negative = "Humanoid-v5(contact_cost_range=(-inf, 3.0))"
    assert pgcore.make_task(negative).id == negative


@pytest.mark.parametrize(
    "text",
    ["Ant-v5(frame_skip=4", "Ant-v5(4)", "Ant-v5(**x)", "Ant-v5(frame_skip=f())", "Ant-v5(a)(b)"],
)
def test_bad_ids(text):
    with pytest.raises(ValueError, match=r"task: expected an id such as Ant-v5\("):
        pgcore.make_task(text)


@pytest.mark.parametrize(
    ("env_id", "options", "text"),
    [
        ("Ant-v5", {"healthy_z_rang": 1}, "healthy_z_rang: Ant-v5 has no such option; did you mean "
         "healthy_z_range, healthy_reward? known: xml_file, frame_skip, "),
        ("Hopper-v4", {"frame_skip": 2}, "frame_skip: Hopper-v4 has no such option; "),
        ("Reacher-v4", {"render_mode": "human"}, "has no such option; known: max_episode_steps"),
        ("Ant-v5", {"healthy_z_range": (1.0, 0.3)}, "healthy_z_range: expected low <= high, got"),
        ("Ant-v5", {"healthy_z_range": (np.nan, 1.0)}, "healthy_z_range: expected low <= high"),
        ("Ant-v5", {"healthy_z_range": 0.3}, r"expected two numbers (low, high), got 0.3"),
        ("Ant-v5", {"ctrl_cost_weight": np.nan}, "expected a finite number, got nan"),
        ("Ant-v5", {"ctrl_cost_weight": "0.5"}, "ctrl_cost_weight: expected a number, got '0.5'"),
        ("Ant-v5", {"terminate_when_unhealthy": 0}, "terminate_when_unhealthy: expected True or"),
        ("Ant-v5", {"frame_skip": 0}, "frame_skip: expected an integer >= 1, got 0"),
        ("Ant-v5", {"xml_file": 3}, "xml_file: expected a path, got 3"),
        ("Ant-v5", {"xml_file": "/no/ant.xml"}, "xml: expected a readable MJCF file"),
        ("Ant-v5", {"main_body": "Torso"}, "body: expected the name or number of a body of the "
         "model (world, torso, front_left_leg, "),
        ("Ant-v5", {"main_body": 99}, "body: expected an integer from 0 to 13, got 99"),
        ("Ant-v5", {"reset_noise_scale": -0.1}, "scale: expected a number >= 0, got -0.1"),
        ("Ant-v6", {}, "task: unknown id 'Ant-v6'; did you mean Ant-v5"),
        ("Pusher-v4", {}, "Pusher-v4 cannot run here: Gymnasium makes it with mujoco < 3 only"),
    ],
)  # fmt: skip
def test_bad_options(env_id, options, text):
    with pytest.raises(ValueError, match=re.escape(text)):
        pgcore.gymnasium_task(env_id, **options)


def test_a_run_and_its_checkpoints_keep_the_options(tmp_path):
    task_id = "Hopper-v5(healthy_z_range=(0.9, inf), max_episode_steps=50)"
    with Run(tmp_path / "run", small_config(task=task_id)) as run:
        list(run.iterations())
    path = next((tmp_path / "run").rglob("*.safetensors"))
    checkpoint = pgcore.load_checkpoint(path)
    assert checkpoint.task() is pgcore.make_task(task_id)
    assert checkpoint.task().time_limit == 50


def test_the_python_twin_has_the_options():
    options = {"frame_skip": 3, "exclude_current_positions_from_observation": False}
    task = pgcore.gymnasium_task("Walker2d-v5", healthy_z_range=(1.1, 1.4), **options)
    policy = make_policy(task, 2, (16,), spread=0.05)
    native = pgcore.collect(task, policy, 25, seed=3)
    twin = pgcore.collect(task, policy, 25, seed=3, backend="python")
    # rounding of the two float32 networks grows with every step of contact dynamics
    np.testing.assert_allclose(twin.obs[:, :12], native.obs[:, :12], atol=1e-4)
    np.testing.assert_allclose(twin.rewards[:, :12], native.rewards[:, :12], atol=1e-3)


@pytest.mark.parametrize("env_id", ENVIRONMENTS)
def test_the_python_twin_starts_where_the_native_path_does(env_id):
    """Three trajectories; Pusher's environment changes its own defaults at a reset."""
    task = pgcore.gymnasium_task(env_id, max_episode_steps=4)
    policy = make_policy(task, 1, (4,), spread=0.01)
    native = pgcore.collect(task, policy, 12, seed=9)
    twin = pgcore.collect(task, policy, 12, seed=9, backend="python")
    starts = [t for t in (0, 4, 8) if native.truncated[0, t - 1] or t == 0]
    assert len(starts) == 3 or native.terminated.any()
    # 1e-9: Gaussian draws differ in the last place; forces of a constraint solver follow them
    for t in starts:
        np.testing.assert_allclose(twin.obs[0, t], native.obs[0, t], rtol=1e-9, atol=1e-9)
    # 1e-3: float32 networks of two implementations, four steps
    scale = 1 + np.abs(native.rewards[0])
    assert (np.abs(twin.rewards[0] - native.rewards[0]) < 1e-3 * scale).all()
