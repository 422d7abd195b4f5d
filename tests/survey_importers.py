"""Compare the importers with the libraries themselves, where they are installed.

    python tests/survey_importers.py [LIBRARY ...]

No test: it needs rsl-rl-lib, skrl, rl-games, tianshou or ray[rllib], which the tests do without. It
makes each library's own networks and statistics, writes the files that the library writes, and lets
the exporter's function store what the library computes. Last run with rsl-rl-lib 5.5.1, skrl 2.1.1,
rl-games 1.6.5, tianshou 2.0.1 and ray 2.60.0: all differences below 1e-6.
"""

from __future__ import annotations

import dataclasses
import sys
import tempfile
from pathlib import Path

import gymnasium as gym
import numpy as np
import torch
from torch import nn

from pgcore.importers.export_snippet import exporter
from pgcore.importers.table import READERS, import_agent

OBS, ACT, H = 11, 3, 64  # Hopper-v4
_SCOPE: dict = {}
exec(exporter("skrl", list(READERS)).split("# Fill in")[0], _SCOPE)
export = _SCOPE["export"]


def observations():
    """Data of very unequal scales, float32."""
    rng = np.random.default_rng(0)
    data = rng.normal(size=(4000, OBS)) * 10 ** rng.uniform(-2, 1, OBS) + rng.normal(size=OBS)
    return torch.tensor(data, dtype=torch.float32)


def disturb(*modules):
    """Weights that are not as initialised."""
    with torch.no_grad():
        for module in modules:
            for parameter in module.parameters():
                parameter.add_(0.1 * torch.randn_like(parameter))
            module.eval()


def report(name, source, numbers):
    for path in (source, numbers):
        agent = import_agent(path, "Hopper-v4", reference=numbers, trajectories=2)
        check = agent.origin["check"]
        errors = ", ".join(f"{n} {check[n]:.1e}" for n in ("means", "log_probs", "values"))
        print(f"{name:<24}{path.name:<12}{errors}")


def rsl_rl(folder):
    from rsl_rl.models import MLPModel
    from tensordict import TensorDict

    data = observations()
    groups = {"actor": ["policy"], "critic": ["policy"]}
    example = TensorDict({"policy": data}, batch_size=[len(data)])
    for kind in ("scalar", "log"):
        law = {"class_name": "rsl_rl.modules.distribution:GaussianDistribution", "std_type": kind}
        actor = MLPModel(example, groups, "actor", ACT, [H, H], "elu", True, law)
        critic = MLPModel(example, groups, "critic", 1, [H, H], "elu", True)
        actor.obs_normalizer.update(data)
        critic.obs_normalizer.update(data[:1000] * 2)
        disturb(actor.mlp, critic.mlp)
        actor.eval(), critic.eval()

        def forward(obs, actor=actor, critic=critic):
            x = torch.as_tensor(obs, dtype=torch.float32)
            x = TensorDict({"policy": x}, batch_size=[len(x)])
            actor(x, stochastic_output=True)
            return actor.output_mean.clone(), actor.output_std.clone(), critic(x)

        state = {
            "actor_state_dict": actor.state_dict(),
            "critic_state_dict": critic.state_dict(),
        }
        torch.save({**state, "optimizer_state_dict": {}, "iter": 3}, folder / "rsl.pt")
        own = actor.obs_normalizer
        scale = own._std[0].numpy() + 1e-2
        export(folder / "rsl.npz", "rsl_rl", state, forward, own._mean[0].numpy(), scale)
        report(f"rsl_rl {kind}", folder / "rsl.pt", folder / "rsl.npz")


def skrl(folder):
    from skrl.resources.preprocessors.torch import RunningStandardScaler
    from skrl.utils.model_instantiators.torch import deterministic_model, gaussian_model

    spaces = {
        "observation_space": gym.spaces.Box(-np.inf, np.inf, (OBS,)),
        "action_space": gym.spaces.Box(-1, 1, (ACT,)),
        "state_space": None,
        "device": "cpu",
    }
    layers = {"name": "net", "input": "OBSERVATIONS", "layers": [H, H], "activations": "elu"}
    policy = gaussian_model(**spaces, network=[layers], output="ACTIONS", initial_log_std=-0.4)
    value = deterministic_model(**spaces, network=[layers], output="ONE")
    inputs, targets = (RunningStandardScaler(n, device="cpu") for n in (OBS, 1))
    inputs(observations(), train=True)
    targets(torch.randn(500, 1) * 7 + 30, train=True)
    first = {"observations": inputs(observations()[:4])}
    policy.act(first, role="policy"), value.act(first, role="value")  # makes its lazy layers
    disturb(policy, value)

    def forward(obs):
        x = {"observations": inputs(torch.as_tensor(obs, dtype=torch.float32))}
        mean, more = policy.compute(x, "policy")
        std = more["log_std"].exp().expand_as(mean)
        return mean, std, targets(value.compute(x, "value")[0], inverse=True)

    state = {
        "policy": policy.state_dict(),
        "value": value.state_dict(),
        "observation_preprocessor": inputs.state_dict(),
        "value_preprocessor": targets.state_dict(),
    }
    torch.save(state, folder / "skrl.pt")
    scale = np.sqrt(inputs.running_variance.numpy()) + 1e-8
    export(folder / "skrl.npz", "skrl", state, forward, inputs.running_mean.numpy(), scale, 5.0)
    report("skrl", folder / "skrl.pt", folder / "skrl.npz")


def rl_games(folder):
    from rl_games.algos_torch.models import ModelA2CContinuousLogStd
    from rl_games.algos_torch.network_builder import A2CBuilder

    default = {"name": "default"}
    space = {
        "mu_activation": "None",
        "sigma_activation": "None",
        "mu_init": default,
        "sigma_init": {"name": "const_initializer", "val": -0.3},
        "fixed_sigma": True,
    }
    sizes = {"actions_num": ACT, "input_shape": (OBS,), "num_seqs": 1, "value_size": 1}
    for separate in (False, True):
        builder = A2CBuilder()
        mlp = {"units": [H, H], "activation": "elu", "initializer": default}
        builder.load({"separate": separate, "space": {"continuous": space}, "mlp": mlp})
        model = ModelA2CContinuousLogStd(builder).build(
            {**sizes, "normalize_value": True, "normalize_input": True}
        )
        model.train()
        model.running_mean_std(observations())
        model.value_mean_std(torch.randn(500, 1) * 7 + 30)
        disturb(model)

        def forward(obs, model=model):
            x = torch.as_tensor(obs, dtype=torch.float32)
            found = model({"is_train": False, "obs": x, "prev_actions": None})
            return found["mus"], found["sigmas"], found["values"]

        state = {"model": model.state_dict()}
        torch.save({**state, "epoch": 3, "frame": 9, "env_state": None}, folder / "rlg.pth")
        own = model.running_mean_std
        scale = np.sqrt(own.running_var.numpy() + 1e-5)
        export(folder / "rlg.npz", "rl_games", state, forward, own.running_mean.numpy(), scale, 5.0)
        report(f"rl_games {separate=}", folder / "rlg.pth", folder / "rlg.npz")


def tianshou(folder):
    from tianshou.utils.net.common import Net
    from tianshou.utils.net.continuous import ContinuousActorProbabilistic, ContinuousCritic
    from tianshou.utils.statistics import RunningMeanStd

    def net():
        return Net(state_shape=(OBS,), hidden_sizes=[H, H], activation=nn.Tanh)

    actor = ContinuousActorProbabilistic(preprocess_net=net(), action_shape=(ACT,), unbounded=True)
    critic = ContinuousCritic(preprocess_net=net())
    disturb(actor, critic)
    statistics = RunningMeanStd()
    statistics.update(observations().double().numpy())
    algorithm = nn.Module()
    algorithm.policy, algorithm.critic = nn.Module(), critic
    algorithm.policy.actor = actor

    def forward(obs):
        x = torch.as_tensor(statistics.norm(obs), dtype=torch.float32)
        (mean, std), _ = actor(x)
        return mean, std, critic(x)

    state = {"model": algorithm.state_dict()}
    torch.save({**state, "obs_rms": statistics}, folder / "policy.pth")
    scale = np.sqrt(statistics.var + statistics.eps)
    numbers = folder / "tianshou.npz"
    export(numbers, "tianshou", state, forward, statistics.mean, scale, statistics.clip_max)
    report("tianshou", folder / "policy.pth", numbers)


def rllib(folder):
    from ray.rllib.algorithms.ppo.ppo_catalog import PPOCatalog
    from ray.rllib.algorithms.ppo.torch.default_ppo_torch_rl_module import DefaultPPOTorchRLModule
    from ray.rllib.connectors.env_to_module.mean_std_filter import MeanStdFilter
    from ray.rllib.core.rl_module.default_model_config import DefaultModelConfig
    from ray.rllib.env.single_agent_episode import SingleAgentEpisode

    spaces = {
        "observation_space": gym.spaces.Box(-np.inf, np.inf, (OBS,), np.float32),
        "action_space": gym.spaces.Box(-1, 1, (ACT,), np.float32),
    }
    config = DefaultModelConfig(free_log_std=True, vf_share_layers=False)
    module = DefaultPPOTorchRLModule(
        **spaces, model_config=dataclasses.asdict(config), catalog_class=PPOCatalog
    )
    statistics = MeanStdFilter()
    statistics.input_action_space = spaces["action_space"]
    statistics.input_observation_space = spaces["observation_space"]
    for row in observations()[:200].numpy():
        episode = SingleAgentEpisode(**spaces)
        episode.add_env_reset(row)
        statistics(rl_module=module, batch={}, episodes=[episode])
    root = folder / "checkpoint"
    module.save_to_path(root / "learner_group/learner/rl_module/default_policy")
    statistics.save_to_path(root / "env_runner/env_to_module_connector/MeanStdFilter")
    (own,) = statistics._filters.values()

    def forward(obs):
        x = np.stack([own(row, update=False) for row in obs.astype(np.float32)])
        x = {"obs": torch.as_tensor(x, dtype=torch.float32)}
        mean, log_std = module.forward_train(x)["action_dist_inputs"].chunk(2, -1)
        return mean, log_std.exp(), module.compute_values(x)

    state = {name: torch.as_tensor(array) for name, array in module.get_state().items()}
    stats = own.running_stats
    numbers = folder / "rllib.npz"
    export(numbers, "rllib", state, forward, stats.mean, stats.std + 1e-6, 10.0)
    report("rllib", root, numbers)


def main(names):
    torch.manual_seed(0)
    for name in names or ("rsl_rl", "skrl", "rl_games", "tianshou", "rllib"):
        with tempfile.TemporaryDirectory() as folder:
            try:
                globals()[name](Path(folder))
            except ImportError as error:
                print(f"{name:<24}not installed ({error})")


if __name__ == "__main__":
    main(sys.argv[1:])
