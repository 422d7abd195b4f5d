"""Is closed-loop `collect`, policy included, at least as fast as MuJoCo's open-loop replay?

The same actions from the same states, without terminations: MuJoCo's two engines get the whole
sequence of controls beforehand and record qpos and qvel; pgcore computes every action from the
observation and stores transitions.
"""

from __future__ import annotations

import dataclasses

import mujoco
import numpy as np
from mujoco.batch import Batch
from mujoco.rollout import Rollout
from timing import check, header, interleaved, report

import pgcore
from pgcore.rollout import reference

STREAMS, STEPS = 32, 100


def endless(name: str) -> pgcore.Task:
    """The task without terminations and time limit, so that a stream is one trajectory."""
    spec = dataclasses.replace(pgcore.make_task(name).spec, termination=(), time_limit=None)
    return pgcore.make_task(spec)


def start_states(task: pgcore.Task, model: mujoco.MjModel) -> dict[str, np.ndarray]:
    """The states that pgcore's streams 0 .. S-1 of seed 0 start from."""
    rows: dict[str, list[np.ndarray]] = {"qpos": [], "qvel": [], "qacc_warmstart": []}
    data = mujoco.MjData(model)
    for stream in range(STREAMS):
        mujoco.mj_resetData(model, data)
        data.qpos[:], data.qvel[:] = reference.reset_state(
            task.spec.reset, data.qpos, data.qvel, 0, stream, 0
        )
        mujoco.mj_forward(model, data)
        for name, values in rows.items():
            values.append(getattr(data, name).copy())
    return {name: np.array(values) for name, values in rows.items()}


def main() -> None:
    header(__doc__.splitlines()[0])
    for name in ("Hopper-v4", "Walker2d-v4", "Humanoid-v4"):
        task = endless(name)
        policy = pgcore.GaussianPolicy(task.obs_dim, task.act_dim)
        model = mujoco.MjModel.from_xml_path(str(task.spec.xml_path()))
        states = start_states(task, model)
        batch = pgcore.collect(task, policy, STEPS, STREAMS)
        controls = np.repeat(batch.actions.astype(np.float64), task.frame_skip, axis=1)
        substeps = controls.shape[1]
        full = np.concatenate([np.zeros((STREAMS, 1)), states["qpos"], states["qvel"]], axis=1)
        for threads in (1, 2):
            engine = Batch(model, STREAMS, threads)
            fields = {n: engine.bind(n) for n in states}
            rollout = Rollout(nthread=threads if threads > 1 else 0)
            datas = [mujoco.MjData(model) for _ in range(threads)]

            def ours(task=task, policy=policy, threads=threads):
                return pgcore.collect(task, policy, STEPS, STREAMS, num_threads=threads)

            def by_batch(engine=engine, fields=fields):
                engine.reset()
                for field, values in fields.items():
                    values[:] = states[field]
                return engine.rollout(substeps, controls, record=("qpos", "qvel"))

            def by_rollout(rollout=rollout, datas=datas):
                return rollout.rollout(
                    model, datas, full, controls, initial_warmstart=states["qacc_warmstart"]
                )[0]

            # equality: the observation begins with (a part of) qpos
            skip = task.spec.observation[0]
            start = int(float(dict(skip.parameters).get("start", 0)))
            frames = slice(task.frame_skip - 1, None, task.frame_skip)
            length = model.nq - start
            seen = batch.obs[:, 1:, :length]
            mine = by_batch()["qpos"][:, frames][:, :-1, start:]
            check(np.array_equal(seen, mine), "mujoco.batch")
            theirs = by_rollout()[:, frames][:, :-1, 1 + start : 1 + model.nq]
            check(np.array_equal(seen, theirs), "mujoco.rollout")
            seconds = interleaved(
                {"pgcore": ours, "mujoco.rollout": by_rollout, "mujoco.batch": by_batch}
            )
            report(f"{name}, {threads} thread(s)", seconds, STREAMS * STEPS, "pair")
            rollout.close()


if __name__ == "__main__":
    main()
