"""Text of a script for the environment where an agent lives: `pgcore import --exporter LIBRARY`.

It needs torch and NumPy only, and stores the weights, the statistics, and what the library itself
computes for some observations, so that an import can be checked.
"""

from __future__ import annotations

from pgcore.base.errors import check_choice

_HEAD = '''"""Store an agent of {library} for `pgcore import agent.npz --task TASK --out FILE`.

Paste this where the agent is in memory; it needs torch and NumPy only.
"""

import numpy as np
import torch


def export(path, library, state, forward, mean=None, scale=None, clip=np.inf, obs_dim=None,
           reward_std=None, count=None, seed=0):
    """state: tensors by name, or tables of them; forward(obs [N, O] float64) -> means [N, A],
    standard deviations [N, A], values [N] or None, all as the library computes them; mean, scale
    [O], clip: the input is clip((obs - mean) / scale, -clip, clip)."""
    generator = np.random.default_rng(seed)
    obs = generator.standard_normal((1000, len(mean) if mean is not None else obs_dim))
    arrays = {{"library": library, "by": f"{{library}}, by the exporter"}}
    if mean is not None:
        mean, scale = np.asarray(mean, np.float64), np.asarray(scale, np.float64)
        obs = mean + scale * obs
        arrays |= {{"mean": mean, "scale": scale, "clip": np.float64(clip)}}
    obs = obs.astype(np.float32).astype(np.float64)  # the same for who computes in float32
    for name, value in (("reward_std", reward_std), ("count", count)):
        if value is not None:
            arrays[name] = np.float64(value)
    with torch.no_grad():
        means, stds, values = forward(obs)
        normal = torch.distributions.Normal(means, stds)
        noise = torch.from_numpy(generator.standard_normal(tuple(means.shape)))
        actions = (means + stds * noise).to(means.dtype)
        log_probs = normal.log_prob(actions).sum(-1)
    arrays |= {{"obs": obs, "actions": actions.numpy(), "means": means.numpy()}}
    arrays["log_probs"] = log_probs.numpy()
    if values is not None:
        arrays["values"] = values.reshape(-1).numpy()

    def put(prefix, table):
        for name, value in table.items():
            if isinstance(value, dict):
                put(f"{{prefix}}/{{name}}", value)
            elif torch.is_tensor(value):
                arrays[f"{{prefix}}/{{name}}"] = value.detach().cpu().numpy()

    put("state", state)
    np.savez(path, **arrays)


'''

_BODIES = {
    "sb3": """# model: a loaded PPO, A2C or TRPO; vec: its VecNormalize
def forward(obs):
    inputs = torch.as_tensor(vec.normalize_obs(obs))
    distribution = model.policy.get_distribution(inputs).distribution
    return distribution.mean, distribution.stddev, model.policy.predict_values(inputs)


rms = vec.obs_rms
export("agent.npz", "sb3", model.policy.state_dict(), forward, rms.mean,
       np.sqrt(rms.var + vec.epsilon), vec.clip_obs,
       reward_std=float(np.sqrt(vec.ret_rms.var + vec.epsilon)) if vec.norm_reward else None)
""",
    "cleanrl": """# agent, envs: as at the end of ppo_continuous_action.py
def find(wrapper, name):
    while not hasattr(wrapper, name):
        wrapper = wrapper.env
    return getattr(wrapper, name)


every = [find(env, "obs_rms") for env in envs.envs]
rms = every[0]
assert all(np.array_equal(rms.mean, other.mean) for other in every), "one environment, please"


def forward(obs):
    x = np.clip((obs - rms.mean) / np.sqrt(rms.var + 1e-8), -10, 10)
    x = torch.as_tensor(x, dtype=torch.float32)
    mean = agent.actor_mean(x)
    return mean, agent.actor_logstd.exp().expand_as(mean), agent.critic(x)


export("agent.npz", "cleanrl", agent.state_dict(), forward, rms.mean, np.sqrt(rms.var + 1e-8), 10,
       reward_std=float(np.sqrt(find(envs.envs[0], "return_rms").var + 1e-8)))
""",
    "spinning_up": """# ac = torch.load("pyt_save/model.pt")
def forward(obs):
    x = torch.as_tensor(obs, dtype=torch.float32)
    mean = ac.pi.mu_net(x)
    return mean, ac.pi.log_std.exp().expand_as(mean), ac.v(x)


export("agent.npz", "spinning_up", ac.state_dict(), forward,
       obs_dim=ac.pi.mu_net[0].in_features)
""",
}

_OTHER = """# Fill in forward: what {library} itself computes. The state is that of its checkpoint.
def forward(obs):
    x = torch.as_tensor(obs, dtype=torch.float32)
    raise NotImplementedError("means [N, A], standard deviations [N, A], values [N] or None")


export("agent.npz", "{library}", torch.load("checkpoint.pt", weights_only=True), forward,
       obs_dim=None)
"""


def exporter(library: str, known: list[str]) -> str:
    """The script for a library; ValueError if it is unknown."""
    check_choice("--exporter", library, known)
    return _HEAD.format(library=library) + _BODIES.get(library, _OTHER.format(library=library))
