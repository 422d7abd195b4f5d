"""Record real agents of other libraries, for tests that run where those are not installed.

    python tests/record_agents.py SCRIPTS OUT [LIBRARY ...]

In an environment of rsl-rl-lib, skrl, rl-games, tianshou, torchrl and ray[rllib], without pgcore.
SCRIPTS is a folder with what `pgcore import --exporter LIBRARY` prints, as LIBRARY.py. Networks are
small; statistics are of data with very unequal scales. Each library writes its own file, and its
exporter's script, run on the same objects, the numbers to compare with. CleanRL and Spinning Up are
no packages: CLEANRL names its ppo_continuous_action.py, SPINNING_UP the folder of its repository.
Recorded with rsl-rl-lib 5.5.1, skrl 2.1.1, rl-games 1.6.5, tianshou 2.0.1, torchrl 0.14.1, ray
2.60.0, CleanRL fe8d8a0 and Spinning Up 038665d.
"""

from __future__ import annotations

import copy
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import gymnasium as gym
import numpy as np
import torch
from torch import nn

OBS, ACT, H = 11, 3, 8  # Hopper-v4


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


def boxes():
    low, high = np.full(OBS, -np.inf, np.float32), np.full(OBS, np.inf, np.float32)
    return gym.spaces.Box(low, high), gym.spaces.Box(-1, 1, (ACT,))


def rsl_rl():
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

        def save(actor=actor, critic=critic):  # as its PPO does
            return {
                "actor_state_dict": actor.state_dict(),
                "critic_state_dict": critic.state_dict(),
                "optimizer_state_dict": {},
            }

        torch.save({**save(), "iter": 3, "infos": None}, f"rsl_rl_{kind}.pt")
        algorithm = SimpleNamespace(actor=actor, critic=critic, save=save)
        yield f"rsl_rl_{kind}", {"runner": SimpleNamespace(alg=algorithm)}


def skrl():
    from skrl.agents.torch.ppo import PPO, PPO_CFG
    from skrl.resources.preprocessors.torch import RunningStandardScaler
    from skrl.utils.model_instantiators.torch import (
        deterministic_model,
        gaussian_model,
        shared_model,
    )

    observed, acted = boxes()
    spaces = {"observation_space": observed, "action_space": acted, "device": "cpu"}
    layers = [{"name": "net", "input": "OBSERVATIONS", "layers": [H, H], "activations": "elu"}]
    for kind in ("separate", "shared"):
        if kind == "shared":
            own = {"network": layers, "output": "ACTIONS", "initial_log_std": -0.4}
            both = shared_model(
                **spaces,
                state_space=None,
                structure=["GaussianMixin", "DeterministicMixin"],
                roles=["policy", "value"],
                parameters=[
                    {**own, "clip_actions": False},
                    {"network": layers, "output": "ONE", "clip_actions": False},
                ],
            )
            models = {"policy": both, "value": both}
        else:
            models = {
                "policy": gaussian_model(
                    **spaces, state_space=None, network=layers, output="ACTIONS",
                    initial_log_std=-0.4,
                ),
                "value": deterministic_model(
                    **spaces, state_space=None, network=layers, output="ONE"
                ),
            }  # fmt: skip
        cfg = PPO_CFG()
        cfg.observation_preprocessor = cfg.value_preprocessor = RunningStandardScaler
        cfg.observation_preprocessor_kwargs = {"size": OBS, "device": "cpu"}
        cfg.value_preprocessor_kwargs = {"size": 1, "device": "cpu"}
        first = {"observations": observations()[:4]}
        for role, model in models.items():
            model.act(first, role=role)  # makes its lazy layers
        agent = PPO(models=models, cfg=cfg, **spaces)
        agent._observation_preprocessor(observations(), train=True)
        agent._value_preprocessor(torch.randn(500, 1) * 7 + 30, train=True)
        disturb(*{id(m): m for m in models.values()}.values())
        agent.save(f"skrl_{kind}.pt")
        yield f"skrl_{kind}", {"agent": agent}


def rl_games():
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
        name = "rl_games_separate" if separate else "rl_games_shared"
        content = {"model": model.state_dict(), "epoch": 3, "frame": 9, "env_state": None}
        torch.save(content, f"{name}.pth")
        yield name, {"player": SimpleNamespace(model=model)}


def tianshou():
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
    torch.save({"model": algorithm.state_dict(), "obs_rms": statistics}, "tianshou.pth")
    yield "tianshou", {"algorithm": algorithm, "rms": statistics}


def torchrl():
    from tensordict.nn import AddStateIndependentNormalScale, TensorDictModule
    from torchrl.modules import MLP, ProbabilisticActor, TanhNormal

    network = nn.Sequential(
        MLP(in_features=OBS, out_features=ACT, num_cells=[H, H], activation_class=nn.Tanh),
        AddStateIndependentNormalScale(ACT, scale_lb=1e-8),
    )
    actor = ProbabilisticActor(
        TensorDictModule(network, in_keys=["observation"], out_keys=["loc", "scale"]),
        in_keys=["loc", "scale"],
        spec=None,
        distribution_class=TanhNormal,
    )
    disturb(actor)
    data = observations()
    norm = {"loc": data.mean(0), "scale": data.std(0)}
    torch.save({"model_state_dict": actor.state_dict(), "vecnorm": norm}, "torchrl.pt")
    yield "torchrl", {"actor": actor, "norm": norm}


def rllib():
    import shutil

    from ray.rllib.algorithms.ppo import PPOConfig
    from ray.rllib.connectors.env_to_module import MeanStdFilter
    from ray.rllib.core.rl_module.default_model_config import DefaultModelConfig

    for kind in ("separate", "shared"):
        model = DefaultModelConfig(
            fcnet_hiddens=[H, H],
            vf_share_layers=kind == "shared",
            free_log_std=kind == "separate",
        )
        config = (
            PPOConfig()
            .environment("Pendulum-v1")
            .env_runners(
                num_env_runners=0, env_to_module_connector=lambda *_, **__: MeanStdFilter()
            )
            .rl_module(model_config=model)
            .training(train_batch_size=400, minibatch_size=100, num_epochs=2)
        )
        algo = config.build_algo()
        algo.train()
        folder = Path(f"rllib_{kind}").absolute()
        algo.save_to_path(folder)
        kept = (
            "learner_group/learner/rl_module/default_policy/module_state.pkl",
            "env_runner/env_to_module_connector/MeanStdFilter/state.pkl",
        )
        for file in kept:  # of its many, those that an import reads
            (folder.with_suffix(".kept") / file).parent.mkdir(parents=True)
            shutil.copy(folder / file, folder.with_suffix(".kept") / file)
        shutil.rmtree(folder)
        folder.with_suffix(".kept").rename(folder)
        yield f"rllib_{kind}", {"algo": algo}


def cleanrl():
    """Its own script, trained for two updates."""
    import runpy

    wrapper = gym.wrappers.TransformObservation
    # written for a Gymnasium that took the space from the environment
    gym.wrappers.TransformObservation = lambda env, f: wrapper(env, f, env.observation_space)
    sys.argv = ["ppo", "--env-id", "Pendulum-v1", "--num-steps", "256", "--total-timesteps", "512"]
    found = runpy.run_path(os.environ["CLEANRL"], run_name="__main__")
    torch.save(found["agent"].state_dict(), "cleanrl.cleanrl_model")
    yield "cleanrl", {"agent": found["agent"], "envs": found["envs"]}


def spinning_up():
    """Its own class, pickled whole as its logger does."""
    sys.modules["gym"], sys.modules["gym.spaces"] = gym, gym.spaces  # renamed since
    sys.path.insert(0, os.environ["SPINNING_UP"])
    from spinup.algos.pytorch.ppo.core import MLPActorCritic

    ac = MLPActorCritic(*boxes(), hidden_sizes=(H, H), activation=nn.Tanh)
    disturb(ac)
    torch.save(ac, "spinning_up.pt")
    yield "spinning_up", {"ac": ac}


def main(scripts, out, *names):
    torch.manual_seed(0)
    scripts, out = Path(scripts).absolute(), Path(out).absolute()
    out.mkdir(parents=True, exist_ok=True)
    os.chdir(out)
    for name in names or (
        "rsl_rl", "skrl", "rl_games", "tianshou", "torchrl", "rllib", "cleanrl", "spinning_up"
    ):  # fmt: skip
        text = compile((scripts / f"{name}.py").read_text(), name, "exec")
        for case, objects in globals()[name]():
            exec(text, copy.copy(objects))
            Path("agent.npz").rename(f"{case}.npz")
            print(case, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
