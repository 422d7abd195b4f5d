"""Gradient quality (paper, section 2.1)."""
