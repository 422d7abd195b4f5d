"""The command line: `pgcore COMMAND ...`, such as `pgcore train`.

Little is imported before :func:`main` listens to signals: until then they end it with a traceback.
"""

from __future__ import annotations

import contextlib
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pgcore.base.signals import INTERRUPTED, NOTHING_WRITTEN, STOPPED, stopped_like_ctrl_c

USAGE = """usage: pgcore COMMAND [options]

How good are the gradients, values and surrogates of deep policy-gradient agents?

  train      train agents, many trials at a time
  import     read an agent of another library
  play       an agent in MuJoCo's viewer, or as a video
  study      measure agents; alone, it lists the studies
  report     studies on one page, and LaTeX tables
  export     a study's numbers: csv, parquet, latex, markdown or json
  tasks      list the tasks; with an ID: its observations, rewards and limits
  presets    the settings of the paper; with --diff where its companion code differs
  info       versions, build flags, threads

`pgcore COMMAND --help` documents every option.
"""


def tasks(arguments: Sequence[str]) -> None:
    """`pgcore tasks`: handed on to the tasks' own command line."""
    from pgcore.tasks import command_line

    command_line.main(arguments)


def info(arguments: Sequence[str]) -> None:
    """`pgcore info`: what this installation is."""
    from pgcore.base.command import parse
    from pgcore.base.provenance import describe_installation

    parse(_NoOptions, "pgcore info", arguments)
    print(describe_installation())


@dataclass(frozen=True)
class _NoOptions:
    """Print versions, build flags and the threads found."""


def train(arguments: Sequence[str]) -> None:
    """`pgcore train`: handed on to training's own command line."""
    from pgcore.training import command_line

    command_line.train(arguments)


def presets(arguments: Sequence[str]) -> None:
    """`pgcore presets`: handed on to training's own command line."""
    from pgcore.training import command_line

    command_line.presets(arguments)


def study(arguments: Sequence[str]) -> None:
    """`pgcore study`: handed on to the studies' own command line."""
    from pgcore.studies import command_line

    command_line.main(arguments)


def report(arguments: Sequence[str]) -> None:
    """`pgcore report`: handed on to the report's own command line."""
    from pgcore.studies.report import command_line

    command_line.main(arguments)


def export(arguments: Sequence[str]) -> None:
    """`pgcore export`: handed on to the export's own command line."""
    from pgcore.studies.export import command_line

    command_line.main(arguments)


def import_(arguments: Sequence[str]) -> None:
    """`pgcore import`: handed on to the importers' own command line."""
    from pgcore.importers import command_line

    command_line.main(arguments)


def play(arguments: Sequence[str]) -> None:
    """`pgcore play`: handed on to the playback's own command line."""
    from pgcore.playback import command_line

    command_line.main(arguments)


COMMANDS: dict[str, Callable[[Sequence[str]], None]] = {
    "train": train,
    "import": import_,
    "play": play,
    "study": study,
    "report": report,
    "export": export,
    "tasks": tasks,
    "presets": presets,
    "info": info,
}


def _show_warning(message: Any, *_: Any, **__: Any) -> None:
    """A warning as one line, without the place in the code that gave it."""
    print(f"warning: {message}", file=sys.stderr)


def _open_streams() -> None:
    """Streams that are closed swallow what is said; a letter that they do not know is a `?`."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            setattr(sys, name, os.fdopen(nowhere, "w", encoding="utf-8"))
        elif hasattr(stream, "reconfigure"):
            with contextlib.suppress(OSError):  # of one that is no longer what it was opened as
                stream.reconfigure(errors="replace")


def command() -> None:
    """What a process runs: :func:`main`, and an end at once where it was asked to stop.

    Python's own end stops the threads of libraries wherever they are, which can abort the process
    (status 134) after all was said and stored.
    """
    _open_streams()
    try:
        main()
    except SystemExit as stop:
        if stop.code != STOPPED:
            raise
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(STOPPED)


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point: one line for an error, exit status 2, and nothing computed is lost."""
    argv = list(sys.argv[1:] if arguments is None else arguments)
    if not argv or argv[0] in ("-h", "--help"):
        print(USAGE, end="")
        raise SystemExit(0)
    if argv[0] == "--version":
        from pgcore import __version__

        print(f"pgcore {__version__}")
        return
    if argv[0] not in COMMANDS:
        known = ", ".join(COMMANDS)
        print(f"pgcore: unknown command {argv[0]!r}; commands: {known}", file=sys.stderr)
        raise SystemExit(2)
    try:
        with warnings.catch_warnings(), stopped_like_ctrl_c():
            warnings.showwarning = _show_warning
            # NumPy's own, which name nothing: what is not finite is said in tables and figures
            warnings.filterwarnings("ignore", "(invalid value|divide by zero|overflow) encountered")
            COMMANDS[argv[0]](argv[1:])
        sys.stdout.flush()
    except BrokenPipeError:  # whoever reads, such as head, has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nor at exit
        raise SystemExit(141) from None
    except (ValueError, TypeError, OSError, RuntimeError) as error:
        print(f"pgcore {argv[0]}: {' '.join(str(error).split())}", file=sys.stderr)
        raise SystemExit(2) from None
    except MemoryError as error:
        what = str(error) or "no memory is left"
        print(f"pgcore {argv[0]}: {what}; ask for less at a time", file=sys.stderr)
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        kept = argv[0] in ("train", "study")
        print(f"\n{INTERRUPTED if kept else NOTHING_WRITTEN}", file=sys.stderr)
        raise SystemExit(STOPPED) from None
