"""Campaigns: thousands of kills, inputs and surroundings, run by hand (docs/campaigns.md).

From the folder tests: ``python -m campaigns.kills --help``, likewise ``inputs``, ``bindings`` and
``surroundings``. A small version of each is in the suite, tests/test_campaigns.py.
"""
