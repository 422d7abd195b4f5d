"""Stacks of networks: Gaussian policies, value networks, observation statistics."""
