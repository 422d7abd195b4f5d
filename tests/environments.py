"""Gymnasium environments of our own, with nothing heavy about them: worker processes load this."""

import os
import time

import gymnasium
import numpy as np


class Crane(gymnasium.Env):
    """Pays what it was told to do, so that rewards tell which action it got.

    Observations are (mark, resets so far, steps): the mark is drawn with the trajectory, whose
    length it also sets, from 5 to 24 steps.
    """

    observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (3,), np.float32)
    action_space = gymnasium.spaces.Box(np.array([-0.5, -2.0]), np.array([0.1, 3.0]), dtype=float)
    dt = 0.25

    def __init__(self):
        self.resets = 0

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.resets += 1
        self.steps, self.mark = 0, self.np_random.random()
        return self._obs(), {}

    def step(self, action):
        assert action.dtype == np.float64 and action.shape == (2,)
        self.steps += 1
        over = self.steps >= 5 + int(20 * self.mark)
        return self._obs(), action[0] + 10 * action[1], over, False, {}

    def _obs(self):
        return np.array([self.mark, self.resets, self.steps], dtype=np.float32)


class Troubled(Crane):
    """Has its trouble at step 7 of every trajectory whose mark is above 0.7."""

    def trouble(self):
        raise RuntimeError("the rope broke")

    def step(self, action):
        result = super().step(action)
        if self.steps == 7 and self.mark > 0.7:
            self.trouble()
        return result


class Fatal(Troubled):
    """Takes its process with it."""

    def trouble(self):
        os._exit(3)


class Broken(Crane):
    """Cannot be reset."""

    def reset(self, *, seed=None, options=None):
        raise OSError("no crane here")


class Growing(Crane):
    """Observations get longer."""

    def step(self, action):
        obs, *rest = super().step(action)
        return np.append(obs, 0.0), *rest


class Slow(Crane):
    """A tenth of a second per step."""

    def step(self, action):
        time.sleep(0.1)
        return super().step(action)


def limited(kind=Crane, steps=20):
    """A crane with a time limit."""
    return gymnasium.wrappers.TimeLimit(kind(), steps)


class Duck:
    """An environment by its methods alone, whose text has an address."""

    observation_space = Crane.observation_space
    action_space = Crane.action_space

    def reset(self, *, seed=None, options=None):
        return np.zeros(3, dtype=np.float32), {}

    def step(self, action):
        return np.zeros(3, dtype=np.float32), 1.0, False, False, {}
