"""The sample regime: training and its estimates when the pairs per iteration are varied."""
