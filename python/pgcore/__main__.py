"""`python -m pgcore` is the command `pgcore`."""

from pgcore.cli import main

if __name__ == "__main__":
    main()
