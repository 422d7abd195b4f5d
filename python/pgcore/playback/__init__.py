"""Playback: an agent's trajectories as MuJoCo's viewer or a video shows them."""
