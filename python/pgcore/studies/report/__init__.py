"""Studies of one set of agents on one page that needs nothing else, and their LaTeX tables."""
