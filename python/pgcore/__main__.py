"""`python -m pgcore` is the command `pgcore`."""

from pgcore.cli import main

main()
