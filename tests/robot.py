"""A small robot with quaternions, sensors, sites, a tendon, an activation and a mocap body."""

import mujoco
import numpy as np

import pgcore
from pgcore import Term, _core

ROBOT_XML = """
<mujoco>
  <compiler angle="radian"/><option timestep="0.005"/>
  <worldbody>
    <geom name="floor" type="plane" size="5 5 .1"/>
    <body name="torso" pos="0 0 0.6">
      <freejoint name="root"/>
      <geom name="chest" type="capsule" size="0.1" fromto="-.2 0 0 .2 0 0" mass="3"/>
      <site name="imu"/>
      <body name="leg" pos="0.1 0 0">
        <joint name="hip" axis="0 1 0" range="-1 1" limited="true"/>
        <geom name="thigh" type="capsule" size="0.04" fromto="0 0 0 0 0 -.3" mass="1"/>
        <body name="foot" pos="0 0 -.3">
          <joint name="ankle" type="slide" axis="0 0 1" range="-.1 .2" limited="true"/>
          <geom name="sole" size="0.07" mass=".3"/><site name="toe" pos=".05 0 0"/>
        </body>
      </body>
      <body name="arm" pos="-0.1 0 0">
        <joint name="shoulder" type="ball" damping=".1"/>
        <geom name="upper" type="capsule" size="0.03" fromto="0 0 0 0 .2 0" mass=".5"/>
        <site name="hand" pos="0 .2 0"/>
      </body>
    </body>
    <body name="goal" mocap="true" pos="1 0 0.5">
      <geom name="mark" size=".05" contype="0" conaffinity="0"/>
    </body>
  </worldbody>
  <tendon><spatial name="cord"><site site="toe"/><site site="hand"/></spatial></tendon>
  <actuator>
    <general name="hip motor" joint="hip" gear="20" dyntype="filter" dynprm="0.05"
      ctrlrange="-1 1"/>
    <motor name="ankle motor" joint="ankle" gear="50" ctrlrange="-1 1"/>
    <motor name="pull" tendon="cord" gear="3" ctrlrange="-1 1"/>
  </actuator>
  <sensor>
    <velocimeter name="vel" site="imu"/><gyro name="gyro" site="imu"/>
    <touch name="touch" site="toe"/><framequat name="quat" objtype="body" objname="torso"/>
  </sensor>
  <keyframe>
    <key name="stand"/>
    <key name="crouch" qpos="0 0 .5 1 0 0 0 .3 .02 .6 .8 0 0" qvel="1 0 0 0 0 0 0 0 0 0 0"
      act=".2" ctrl=".1 .2 .3" mpos="2 1 .5" mquat="0 1 0 0"/>
  </keyframe>
</mujoco>
"""

STATE = (Term.of("qpos"), Term.of("qvel"))


def expression(of, **values):
    return Term.of("expression", of=of, **values)


def robot_spec(folder, xml=ROBOT_XML, **changes):
    """A task of the robot, whose model is written into ``folder``."""
    path = folder / "robot.xml"
    path.write_text(xml)
    values = {
        "id": "Robot",
        "xml": str(path),
        "frame_skip": 2,
        "time_limit": 40,
        "reset": (Term.of("uniform", target="qvel", scale=0.5),),
        "observation": STATE,
        "reward": (),
    }
    return pgcore.TaskSpec(**(values | changes))


def robot(folder, **changes):
    return pgcore.make_task(robot_spec(folder, **changes))


def load(task):
    """The simulator's own model of a task, and its data."""
    m = mujoco.MjModel.from_xml_path(task.spec.xml)
    return m, mujoco.MjData(m)


def starts(m, streams, steps, seed=0):
    """States above the floor, and actions beyond the control ranges."""
    rng = np.random.default_rng(seed)
    qpos = np.tile(m.qpos0, (streams, 1)) + rng.normal(0, 0.1, (streams, m.nq))
    qpos[:, 2] -= rng.uniform(0, 0.1, streams)
    qvel = rng.normal(0, 1, (streams, m.nv))
    return qpos, qvel, rng.normal(0, 1, (streams, steps, m.nu))


def replay(task, qpos, qvel, actions):
    return _core.replay(task=task.native, qpos=qpos, qvel=qvel, actions=actions, num_threads=2)
