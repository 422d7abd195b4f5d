"""Streams of a policy in a task, and the returns and advantages of what they hold."""
