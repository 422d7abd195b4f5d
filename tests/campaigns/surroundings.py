"""What is around a run or a study fails: a full disk, a read-only folder, a clock, a moved folder.

Each is a function of a folder that gives what is wrong: nothing, if the command said in one line
what the matter was, what was finished before is whole, and the same command went on afterwards to
the same bits. Full and read-only file systems are mounted, which needs root.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

from campaigns.folders import differences, finished_work, litter, repeated
from campaigns.targets import leave_out_figures, targets
from pgcore import cli

RUNS = ["train", "gradient", "value", "landscape"]  # what is put into each of the surroundings


def command(arguments: list[str]) -> tuple[int, str]:
    """The exit status and the last line on stderr of `pgcore`, in this process."""
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        try:
            cli.main(arguments)
            code = 0
        except SystemExit as stop:
            code = int(stop.code or 0)
    lines = said.getvalue().replace("\r", "\n").strip().splitlines()
    return code, lines[-1] if lines else ""


def can_mount() -> bool:
    """Whether this process may mount file systems."""
    with tempfile.TemporaryDirectory() as folder:
        tried = _mount("-t", "tmpfs", "-o", "size=64k", "none", folder)
        if tried == 0:
            subprocess.run(["umount", folder], check=True)
        return tried == 0


def _mount(*arguments: str) -> int:
    return subprocess.run(["mount", *arguments], capture_output=True).returncode


@contextlib.contextmanager
def _mounted(folder: Path, *arguments: str) -> Iterator[Path]:
    folder.mkdir(exist_ok=True)
    subprocess.run(["mount", *arguments, str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)  # also where a file is open


def _in_one_line(code: int, line: str, words: str) -> list[str]:
    if code == 2 and words in line and line.startswith("pgcore ") and "/" in line:
        return []
    return [f"exit status {code}, and said: {line}"]


def full_disk(name: str, runs: list[Path], whole: Path, folder: Path) -> list[str]:
    """A disk that is full in the middle, and then has more space."""
    found: list[str] = []
    with _mounted(folder / "disk", "-t", "tmpfs", "-o", "size=8k", "none") as disk:
        arguments = targets()[name](disk / "out", runs)
        code, line, refused = 2, "", 0
        for kilobytes in (8, 24, 48, 96):  # full at several places
            _mount("-o", f"remount,size={kilobytes}k", str(disk))
            before = finished_work(disk / "out") if (disk / "out").exists() else {}
            code, line = command(arguments)
            if code == 0:
                break
            refused += 1
            found += _in_one_line(code, line, "No space left on device")
            found += repeated(before, disk / "out")
        found += [] if refused else ["the disk was never full"]
        _mount("-o", "remount,size=64m", str(disk))
        code, line = command(arguments)
        found += [f"afterwards: {line}"] if code else differences(whole, disk / "out")
        found += litter(disk / "out")
    return found


def read_only(name: str, runs: list[Path], whole: Path, folder: Path) -> list[str]:
    """A finished folder that cannot be written, and a new one beside it."""
    kept = folder / "kept"
    shutil.copytree(whole, kept)
    with _mounted(folder / "disk", "--bind", str(folder)):
        _mount("-o", "remount,ro,bind", str(folder / "disk"))
        found = []
        for out in ("kept", "new"):
            code, line = command(targets()[name](folder / "disk" / out, runs))
            found += _in_one_line(code, line, "Read-only file system")
    return found + differences(whole, kept)


def clock_backwards(name: str, runs: list[Path], whole: Path, folder: Path) -> list[str]:
    """Every look at the clock is earlier than the one before."""
    ticks = itertools.count()

    def earlier() -> float:
        return 1.6e9 - next(ticks)

    with (
        mock.patch.object(time, "time", earlier),
        mock.patch.object(time, "perf_counter", earlier),
    ):
        code, line = command(targets()[name](folder / "out", runs))
    if not next(ticks):
        return ["nobody looked at the clock"]
    return [line] if code else differences(whole, folder / "out")


def moved(name: str, runs: list[Path], whole: Path, folder: Path) -> list[str]:
    """The folder, and those of the runs, are elsewhere when it is opened again."""
    (folder / "there").mkdir()
    first = [Path(shutil.copytree(run, folder / "there" / run.name)) for run in runs]
    code, line = command(targets()[name](folder / "there" / "out", first))
    before = finished_work(folder / "there" / "out")
    (folder / "there").rename(folder / "here")
    if code:
        return [line]
    out = folder / "here" / "out"
    code, line = command(targets()[name](out, [folder / "here" / run.name for run in runs]))
    return [line] if code else [*repeated(before, out), *differences(whole, out)]


ALL: dict[str, Callable[[str, list[Path], Path, Path], list[str]]] = {
    "full disk": full_disk,
    "read-only folder": read_only,
    "clock going backwards": clock_backwards,
    "folder moved while closed": moved,
}
MOUNTED = ("full disk", "read-only folder")


def campaign(folder: Path, runs: list[Path], names: list[str]) -> dict[str, list[str]]:
    """Every surrounding for some targets: findings by "target, surrounding"."""
    leave_out_figures()
    found = {}
    mounts = can_mount()
    for name in names:
        whole = folder / f"{name}-whole"
        code, line = command(targets()[name](whole, runs))
        assert code == 0, line
        for what, surrounding in ALL.items():
            if what in MOUNTED and not mounts:
                print(f"{name}, {what}: left out, file systems cannot be mounted here")
                continue
            own = folder / f"{name}-{what}".replace(" ", "-")
            own.mkdir()
            start = time.monotonic()
            found[f"{name}, {what}"] = surrounding(name, runs, whole, own)
            said = "; ".join(found[f"{name}, {what}"]) or "none"
            print(f"{name:<12}{what:<28}{time.monotonic() - start:>6.0f} s  {said}", flush=True)
    return found


if __name__ == "__main__":
    from campaigns.targets import make_runs

    with tempfile.TemporaryDirectory() as place:
        results = campaign(Path(place), make_runs(Path(place)), sys.argv[1:] or RUNS)
    raise SystemExit(any(results.values()))
