"""Statistics of arrays, with their intervals."""
