"""What the tests of `pgcore play` share: reading a video, and errors."""

import gc
import warnings

import imageio_ffmpeg
import numpy as np
import pytest

from pgcore.cli import main

SIZE = ["--width", "96", "--height", "64"]


def decoded(path):
    """What a video says of itself, and its frames."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # the reader leaves its pipes open
        reader = imageio_ffmpeg.read_frames(str(path))
        said = next(reader)
        width, height = said["size"]
        frames = [np.frombuffer(f, np.uint8).reshape(height, width, 3) for f in reader]
        del reader
        gc.collect()
    return said, frames


def refused(capsys, *arguments):
    """The one line of an error."""
    with pytest.raises(SystemExit) as stop:
        main(["play", *map(str, arguments)])
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert len(error.strip().splitlines()) == 1 and "Traceback" not in error, error
    return error
