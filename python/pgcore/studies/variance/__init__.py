"""Variance: what the noise of a gradient estimate is made of, and what baselines leave of it."""
