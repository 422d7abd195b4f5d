"""Landscapes of reward and surrogate (paper, section 2.3)."""
