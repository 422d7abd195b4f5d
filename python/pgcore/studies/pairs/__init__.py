"""Pairs of frozen agents, and the gradients and steps that they give."""
