"""What every study runs on: agents, cells, stores, clusters."""
