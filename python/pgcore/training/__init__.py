"""Training runs: settings, presets, the loop, checkpoints and records."""

from pgcore.training.config import TrainConfig as TrainConfig
from pgcore.training.run import Run as Run
from pgcore.training.trainer import Trainer as Trainer
