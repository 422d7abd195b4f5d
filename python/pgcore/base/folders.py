"""Folders that one process at a time writes into, and only where nothing else is."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import socket
import sys
import weakref
from pathlib import Path
from types import TracebackType

LOCK_NAME = ".pgcore.lock"
# what file systems without locks answer
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)


class FolderInUseError(RuntimeError):
    """Another process writes into a folder."""


class FolderLock:
    """The right to write into a folder; it ends with :meth:`release`, or with the process.

    The file ``.pgcore.lock`` stays: whether it is locked is what counts. On a file system without
    locks one line on stderr says so, and nothing is held.

    Args:
        folder: made if it is not there.

    Raises:
        FolderInUseError: another process, or another call of this one, has the folder.
        OSError: the folder cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file: int | None = os.open(folder / LOCK_NAME, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.pread(self._file, 1000, 0).decode(errors="replace").strip()
            self._close()
            raise FolderInUseError(
                f"out: {folder} is in use by {owner or 'another process'}; wait for it or stop "
                "it, or choose another folder"
            ) from None
        except OSError as error:
            self._close()
            if error.errno not in _NO_LOCKS:
                raise
            print(
                f"{folder}: no locks on its file system ({error.strerror}); see to it that no "
                "other process writes into this folder",
                file=sys.stderr,
            )
            return
        _HELD.add(self)
        os.truncate(self._file, 0)
        with contextlib.suppress(OSError):  # on a full disk it has no name, but is a lock
            os.pwrite(self._file, f"process {os.getpid()} on {socket.gethostname()}".encode(), 0)

    @property
    def held(self) -> bool:
        """Whether nobody else writes into the folder; unknown on a file system without locks."""
        return self._file is not None

    def release(self) -> None:
        """Let others have the folder."""
        if self._file is not None:
            with contextlib.suppress(OSError):  # a full disk must not keep it
                os.truncate(self._file, 0)
            with contextlib.suppress(OSError):  # a child that has just been forked has it open, too
                fcntl.flock(self._file, fcntl.LOCK_UN)
        self._close()

    def _close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def __enter__(self) -> FolderLock:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()

    def __del__(self) -> None:
        if getattr(self, "_file", None) is not None:
            self.release()


_HELD: weakref.WeakSet[FolderLock] = weakref.WeakSet()


def _leave_to_parent() -> None:
    """In a forked copy of this process, which would else hold them when the owner is gone."""
    for lock in list(_HELD):
        lock._close()
    _HELD.clear()


os.register_at_fork(after_in_child=_leave_to_parent)


def check_new_folder(folder: Path, what: str) -> None:
    """Whether new files may be made in ``folder``: it is not there, or empty but for hidden files.

    Args:
        folder: to be written into.
        what: that which will be there, for the message: "run", "study".

    Raises:
        ValueError: it is a file or cannot be made, or holds files of something else.
    """
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"out: expected a folder, got the file {folder}; choose another name")
    nearest = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    if not nearest.is_dir():
        raise ValueError(f"out: {folder} cannot be made, because {nearest} is a file")
    if not os.access(nearest, os.W_OK | os.X_OK):
        read_only = os.statvfs(nearest).f_flag & os.ST_RDONLY
        why = "Read-only file system" if read_only else "Permission denied"
        raise ValueError(f"out: nothing can be written into {nearest} ({why})")
    found = sorted(p.name for p in folder.glob("[!.]*")) if folder.is_dir() else []
    if found:
        shown = ", ".join(found[:3]) + (", ..." if len(found) > 3 else "")
        raise ValueError(
            f"out: expected an empty folder, or one of a {what}, got {folder}, which holds other "
            f"files ({shown}); choose another folder"
        )
