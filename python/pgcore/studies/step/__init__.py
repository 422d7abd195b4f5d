"""Many independent update steps: how often do they raise the true reward?"""
