"""PPO as CleanRL's single file writes it, on our vector environment: it learns."""

import numpy as np
import torch
from gymnasium.wrappers import vector as vectors
from torch import nn
from torch.distributions import Normal

import pgcore

N, STEPS, UPDATES, EPOCHS, MINIBATCHES = 8, 128, 12, 8, 8
GAMMA, LAM, CLIP = 0.99, 0.95, 0.2


def layer(inputs, outputs, gain=2**0.5):
    made = nn.Linear(inputs, outputs)
    nn.init.orthogonal_(made.weight, gain)
    nn.init.zeros_(made.bias)
    return made


def network(inputs, outputs, gain):
    return nn.Sequential(
        layer(inputs, 32), nn.Tanh(), layer(32, 32), nn.Tanh(), layer(32, outputs, gain)
    )


def wrapped(task):
    """In the order of its ppo_continuous_action."""
    env = vectors.RecordEpisodeStatistics(pgcore.vector_env(task, N, observation_dtype="float32"))
    env = vectors.NormalizeObservation(vectors.ClipAction(env))
    env = vectors.TransformObservation(env, lambda obs: np.clip(obs, -10, 10))
    env = vectors.NormalizeReward(env, gamma=GAMMA)
    return vectors.TransformReward(env, lambda reward: np.clip(reward, -10, 10))


def rollout(env, actor, critic, log_std, obs, ended):
    """Rows [STEPS, N] of one iteration, what follows them, and the returns that ended in it."""
    rows = {n: [] for n in ("obs", "actions", "log_probs", "ended", "values", "rewards")}
    returns = []
    for _ in range(STEPS):
        with torch.no_grad():
            law = Normal(actor(obs), log_std.exp())
            action = law.sample()
            now = (obs, action, law.log_prob(action).sum(-1), ended, critic(obs).flatten())
        seen, reward, terminated, truncated, info = env.step(action.numpy())
        for row, value in zip(rows.values(), (*now, torch.tensor(reward).float()), strict=True):
            row.append(value)
        obs = torch.tensor(seen, dtype=torch.float32)
        ended = torch.tensor(terminated | truncated, dtype=torch.float32)
        if "episode" in info:
            returns += info["episode"]["r"][info["_episode"]].tolist()
    return {name: torch.stack(values) for name, values in rows.items()}, obs, ended, returns


def advantages_of(data, following, ended):
    """GAE of an iteration, [STEPS, N]."""
    advantages, carried = torch.zeros(STEPS, N), torch.zeros(N)
    for t in reversed(range(STEPS)):
        delta = data["rewards"][t] + GAMMA * following * (1 - ended) - data["values"][t]
        carried = delta + GAMMA * LAM * (1 - ended) * carried
        advantages[t] = carried
        following, ended = data["values"][t], data["ended"][t]
    return advantages


def update(data, advantages, actor, critic, log_std, optimizer):
    """Its epochs of minibatches."""
    flat = {name: values.flatten(0, 1) for name, values in data.items()}
    targets, advantages = (advantages + data["values"]).flatten(), advantages.flatten()
    for _ in range(EPOCHS):
        for part in torch.randperm(N * STEPS).chunk(MINIBATCHES):
            law = Normal(actor(flat["obs"][part]), log_std.exp())
            log_probs = law.log_prob(flat["actions"][part]).sum(-1)
            ratio = (log_probs - flat["log_probs"][part]).exp()
            own = advantages[part]
            own = (own - own.mean()) / (own.std() + 1e-8)
            policy_loss = torch.max(-own * ratio, -own * ratio.clamp(1 - CLIP, 1 + CLIP)).mean()
            value_loss = (critic(flat["obs"][part]).flatten() - targets[part]).square().mean()
            optimizer.zero_grad()
            (policy_loss + 0.25 * value_loss).backward()
            nn.utils.clip_grad_norm_(optimizer.param_groups[0]["params"], 0.5)
            optimizer.step()


def test_ppo_learns_to_balance():
    """A pole that falls after some ten steps at first; 12,288 steps of all environments."""
    torch.manual_seed(1)
    env = wrapped("InvertedPendulum-v4")
    inputs, outputs = env.single_observation_space.shape[0], env.single_action_space.shape[0]
    actor, critic = network(inputs, outputs, 0.01), network(inputs, 1, 1.0)
    log_std = nn.Parameter(torch.zeros(outputs))
    parameters = [*actor.parameters(), *critic.parameters(), log_std]
    optimizer = torch.optim.Adam(parameters, lr=1e-3, eps=1e-5)
    obs = torch.tensor(env.reset(seed=1)[0], dtype=torch.float32)
    ended, returns = torch.zeros(N), []
    for _ in range(UPDATES):
        data, obs, ended, new = rollout(env, actor, critic, log_std, obs, ended)
        returns += new
        with torch.no_grad():
            advantages = advantages_of(data, critic(obs).flatten(), ended)
        update(data, advantages, actor, critic, log_std, optimizer)
    early, late = np.mean(returns[:50]), np.mean(returns[-20:])
    assert early < 20 and late > 4 * early, (early, late, len(returns))
