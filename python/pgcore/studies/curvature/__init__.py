"""Curvature: few directions of it, what gradients and steps have of them, how long they last."""
