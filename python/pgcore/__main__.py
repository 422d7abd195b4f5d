"""`python -m pgcore` is the command `pgcore`."""

from pgcore.cli import command

if __name__ == "__main__":
    command()
