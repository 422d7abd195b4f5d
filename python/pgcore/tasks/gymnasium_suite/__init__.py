"""Gymnasium's MuJoCo suite as native tasks."""
