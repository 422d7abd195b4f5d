"""Agents of other libraries, read without executing anything that their files hold."""
