"""Text of a script for the environment where an agent lives: `pgcore import --exporter LIBRARY`.

It needs torch and NumPy only, and stores the weights, the statistics, and what the library itself
computes for some observations, so that an import can be checked.
"""

from __future__ import annotations

from pgcore.base.errors import check_choice

_HEAD = '''"""Store an agent of {library} for `pgcore import agent.npz --task TASK --out FILE`.

Paste this where the agent is in memory; it needs torch and NumPy only.
"""

import json

import numpy as np
import torch


def export(path, library, state, forward, mean=None, scale=None, clip=np.inf, obs_dim=None,
           reward_std=None, reward_clip=None, count=None, settings=None, activation=None, seed=0):
    """state: tensors by name, or tables of them; forward(obs [N, O] float64) -> means [N, A],
    standard deviations [N, A], values [N] or None, all as the library computes them; mean, scale
    [O], clip: the input is clip((obs - mean) / scale, -clip, clip); settings: numbers by name;
    activation: a module between the layers of its networks."""
    generator = np.random.default_rng(seed)
    obs = generator.standard_normal((1000, len(mean) if mean is not None else obs_dim))
    arrays = {{"library": library, "by": f"{{library}}, by the exporter"}}
    if activation is not None:
        arrays["activation"] = type(activation).__name__
    if settings is not None:
        arrays["settings"] = json.dumps(settings)
    if mean is not None:
        mean, scale = np.asarray(mean, np.float64), np.asarray(scale, np.float64)
        obs[::10] *= 30  # where inputs are clipped
        obs = mean + scale * obs
        arrays |= {{"mean": mean, "scale": scale, "clip": np.float64(clip)}}
    obs = obs.astype(np.float32).astype(np.float64)  # the same for who computes in float32
    for name, value in (("reward_std", reward_std), ("reward_clip", reward_clip),
                        ("count", count)):
        if value is not None:
            arrays[name] = np.float64(value)
    with torch.no_grad():
        means, stds, values = (None if x is None else x.cpu() for x in forward(obs))
        normal = torch.distributions.Normal(means, stds)
        noise = torch.from_numpy(generator.standard_normal(tuple(means.shape)))
        actions = (means + stds * noise).to(means.dtype)
        log_probs = normal.log_prob(actions).sum(-1)
    arrays |= {{"obs": obs.astype(np.float32), "actions": actions.numpy(), "means": means.numpy()}}
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
    np.savez_compressed(path, **arrays)


def tensor(x, module):
    """A float32 tensor where a network's parameters are."""
    return torch.as_tensor(x, dtype=torch.float32, device=next(module.parameters()).device)


def array(x):
    """A tensor, wherever it is, for NumPy."""
    return x.detach().cpu().numpy()


'''

_BODIES = {
    "sb3": """# model: a loaded PPO, A2C or TRPO; vec: its VecNormalize, or None
def forward(obs):
    x = tensor(obs if vec is None else vec.normalize_obs(obs), model.policy)
    distribution = model.policy.get_distribution(x).distribution
    return distribution.mean, distribution.stddev, model.policy.predict_values(x)


model.policy.set_training_mode(False)
statistics = {}
if vec is not None and vec.norm_obs:
    statistics = {"mean": vec.obs_rms.mean, "scale": np.sqrt(vec.obs_rms.var + vec.epsilon),
                  "clip": vec.clip_obs, "count": vec.obs_rms.count}
if vec is not None and vec.norm_reward:
    statistics["reward_std"] = float(np.sqrt(vec.ret_rms.var + vec.epsilon))
    statistics["reward_clip"] = vec.clip_reward
settings = {name: value for name, value in vars(model).items() if isinstance(value, (int, float))}
now, group = model._current_progress_remaining, model.policy.optimizer.param_groups[0]
settings |= {name: group[name] for name in ("eps", "alpha") if name in group}
settings["learning_rate"] = float(model.lr_schedule(now))
if hasattr(model, "clip_range"):
    settings["clip_range"] = float(model.clip_range(now))
export("agent.npz", "sb3", model.policy.state_dict(), forward, settings=settings,
       activation=model.policy.activation_fn(), obs_dim=model.observation_space.shape[0],
       **statistics)
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
    x = tensor(np.clip((obs - rms.mean) / np.sqrt(rms.var + 1e-8), -10, 10), agent)
    mean = agent.actor_mean(x)
    return mean, agent.actor_logstd.exp().expand_as(mean), agent.critic(x)


export("agent.npz", "cleanrl", agent.state_dict(), forward, rms.mean, np.sqrt(rms.var + 1e-8), 10,
       reward_std=float(np.sqrt(find(envs.envs[0], "return_rms").var + 1e-8)),
       activation=agent.actor_mean[1])
""",
    "spinning_up": """# ac = torch.load("pyt_save/model.pt")
def forward(obs):
    x = tensor(obs, ac)
    mean = ac.pi.mu_net(x)
    return mean, ac.pi.log_std.exp().expand_as(mean), ac.v(x)


export("agent.npz", "spinning_up", ac.state_dict(), forward,
       activation=ac.pi.mu_net[1] if len(ac.pi.mu_net) > 2 else None,
       obs_dim=ac.pi.mu_net[0].in_features)
""",
    "tianshou": """# algorithm: a trained PPO; rms: venvs.get_obs_rms() of VectorEnvNormObs, or None
actor, critic = algorithm.policy.actor.eval(), algorithm.critic.eval()


def forward(obs):
    x = tensor(obs if rms is None else rms.norm(obs), actor)
    (mean, std), _ = actor(x)
    return mean, std, critic(x)


statistics = {} if rms is None else {"mean": rms.mean, "scale": np.sqrt(rms.var + rms.eps),
                                     "clip": rms.clip_max, "count": rms.count}
export("agent.npz", "tianshou", {"model": algorithm.state_dict()}, forward,
       obs_dim=next(actor.parameters()).shape[1], **statistics)
""",
    "torchrl": """# actor: of ppo_mujoco.py; norm: {"loc", "scale"} of its VecNorm, or None
network = actor.module[0].module.eval()


def forward(obs):
    x = tensor(obs, network)
    if norm is not None:
        x = ((x - norm["loc"]) / norm["scale"]).clamp(-10, 10)
    mean, std = network(x)
    return mean, std, None


state = {"model_state_dict": actor.state_dict()}
statistics = {}
if norm is not None:
    statistics = {"mean": array(norm["loc"]), "scale": array(norm["scale"]), "clip": 10.0}
export("agent.npz", "torchrl", state, forward, obs_dim=next(network.parameters()).shape[1],
       **statistics)
""",
    "rllib": """# algo: a trained PPO of the new API stack, whose learner is local (num_learners=0)
module = algo.learner_group._learner.module["default_policy"]
every = algo.env_runner._env_to_module.connectors
found = next((c for c in every if type(c).__name__ == "MeanStdFilter"), None)
own = None if found is None else list(found._filters.values())[0]


def forward(obs):
    x = obs.astype(np.float32)
    if own is not None:
        x = np.stack([own(row, update=False) for row in x])
    x = {"obs": tensor(x, module)}
    mean, log_std = module.forward_train(x)["action_dist_inputs"].chunk(2, -1)
    return mean, log_std.exp(), module.compute_values(x)


state = {name: torch.as_tensor(array) for name, array in module.get_state().items()}
statistics = {}
if own is not None:
    stats = own.running_stats
    statistics = {"mean": stats.mean, "scale": stats.std + 1e-6, "clip": found.clip_by_value}
export("agent.npz", "rllib", state, forward, obs_dim=module.observation_space.shape[0],
       **statistics)
""",
    "skrl": """# agent: a trained or loaded PPO
modules = {n: m for n, m in agent.checkpoint_modules.items() if n != "optimizer"}
policy, value = modules["policy"], modules["value"]
scaler = modules.get("observation_preprocessor")
policy.enable_training_mode(False), value.enable_training_mode(False)


def forward(obs):
    x = tensor(obs, policy)
    x = {"observations": x if scaler is None else scaler(x)}
    mean, more = policy.compute(x, "policy")
    out = value.compute(x, "value")[0]
    if "value_preprocessor" in modules:
        out = modules["value_preprocessor"](out, inverse=True)
    return mean, more["log_std"].exp().expand_as(mean), out


statistics = {}
if scaler is not None:
    statistics = {"mean": array(scaler.running_mean), "clip": scaler.clip_threshold,
                  "scale": np.sqrt(array(scaler.running_variance)) + scaler.epsilon}
export("agent.npz", "skrl", {n: m.state_dict() for n, m in modules.items()}, forward,
       obs_dim=policy.num_observations, **statistics)
""",
    "rl_games": """# player: of runner.create_player(), with its checkpoint restored; or the agent
model = player.model.eval()


def forward(obs):
    x = tensor(obs, model)
    found = model({"is_train": False, "obs": x, "prev_actions": None})
    return found["mus"], found["sigmas"], found["values"]


statistics = {}
if hasattr(model, "running_mean_std"):
    own = model.running_mean_std
    statistics = {"mean": array(own.running_mean), "clip": 5.0,
                  "scale": np.sqrt(array(own.running_var) + own.epsilon)}
export("agent.npz", "rl_games", {"model": model.state_dict()}, forward,
       obs_dim=next(model.parameters()).shape[-1], **statistics)
""",
    "rsl_rl": """# runner: an OnPolicyRunner of RSL-RL 5; one group of observations
from tensordict import TensorDict

actor, critic = runner.alg.actor.eval(), runner.alg.critic.eval()


def forward(obs):
    x = tensor(obs, actor)
    x = TensorDict({group: x for group in {*actor.obs_groups, *critic.obs_groups}}, [len(x)])
    actor(x, stochastic_output=True)
    return actor.output_mean.clone(), actor.output_std.clone(), critic(x)


statistics = {}
if hasattr(actor.obs_normalizer, "_mean"):
    own = actor.obs_normalizer
    statistics = {"mean": array(own._mean[0]), "scale": array(own._std[0]) + own.eps}
saved = runner.alg.save()
state = {name: saved[name] for name in ("actor_state_dict", "critic_state_dict")}
export("agent.npz", "rsl_rl", state, forward, obs_dim=actor.obs_dim, **statistics)
""",
}


def exporter(library: str, known: list[str]) -> str:
    """The script for a library; ValueError if it is unknown."""
    check_choice("--exporter", library, known)
    return _HEAD.format(library=library) + _BODIES[library]
