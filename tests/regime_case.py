"""A small sample regime on the linear-quadratic task, for tests."""

from conftest import small_config
from pgcore.studies.regime.call import check_call
from pgcore.studies.regime.settings import RegimeStudy

TASK = "LinearQuadratic-v0"
CONFIGS = {
    name: small_config(
        task=TASK,
        algorithm=name,
        hidden=(),
        value_hidden=(4,),
        policy_lr=1e-3,
        kl=0.02,
        normalize_advantages="batch",
        anneal=name == "ppo",
        save_every=3,
        keep=None,
    )
    for name in ("ppo", "trpo")
}
SMALL = {
    "configs": CONFIGS,
    "algorithms": ("ppo",),
    "pairs": (512, 2048),
    "rates": (0.5, 1.0),
    "total_pairs": 8192,
    "trials": 2,
    "shares": (0.0, 0.5),
    "estimates": 3,
    "true_pairs": 1024,
    "steps": 2,
    "reward_pairs": 100,
}
ONE = SMALL | {"pairs": (512,)}  # for which there are no differences
AT = {"algorithm": "ppo", "pairs": 512}


def checked(out, configs=CONFIGS, task=TASK, **changes):
    """A call of the study, all but computed."""
    settings = {k: v for k, v in SMALL.items() if k != "configs"} | changes
    return check_call(task, out, RegimeStudy(**settings), configs, None, True)


def part(data, **chosen):
    """What a study of a part of the grid has, in which the paper's setting is not."""
    return data.sel(chosen).drop_vars([name for name in data if "_difference" in name])
