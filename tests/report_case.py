"""Small studies that reports are made of, for tests."""

from pgcore.studies.catalog import STUDIES

ONE = {"iterations": (2,), "trials": 1}
ASKED = {
    "gradient": {
        "iterations": (0, 2), "pairs": (64,), "estimates": 3, "largest_step": 64,
        "true_pairs": 128, "true_step_pairs": 128,
    },
    "value": {
        "iterations": (0, 2), "variance_iterations": (2,), "held_out_pairs": 300, "pairs": (64,),
        "returns": "cut", "true_value_pairs": 500, "states": 3, "continuations": 2, "estimates": 3,
    },
    "landscape": {
        "sources": (128,), "pairs": (100, 200), "points": (3, 2), "scout_pairs": 100, **ONE,
    },
    "step": {
        "iterations": (2,), "steps": 3, "pairs": (64,), "reward_pairs": 100, "random": False,
    },
    "update": {"iterations": (2,), "updates": 2, "pairs": (64,), "reward_pairs": 100, "points": 4},
}  # fmt: skip


def measure_all(runs, root):
    """A study of every kind, of two trials of two agents; landscapes of one."""
    for name, settings in ASKED.items():
        STUDIES[name].measure(runs[: 1 if name == "landscape" else 2], root / name, **settings)
