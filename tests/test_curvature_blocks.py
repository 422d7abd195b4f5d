"""The file that holds pairs which memory does not."""

import io

import numpy as np

from pgcore.studies.curvature.blocks import _Rows


def test_a_file_that_takes_a_part_at_a_time_holds_all(tmp_path):
    """As an unbuffered one does where little of a disk is left."""

    class Short(io.FileIO):
        def write(self, content):
            return super().write(bytes(content)[:1000])

    with Short(tmp_path / "file", "w+") as file:
        rows = _Rows(50, memory=0, file=file)
        every = np.random.default_rng(0).standard_normal((120, 30)).astype(np.float32)
        rows.append(every)
        np.testing.assert_array_equal(np.concatenate([rows.read(i) for i in range(3)]), every)
