"""Objectives and updates over a stack of members."""
