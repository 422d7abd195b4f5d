"""docs/examples.md, pasted block by block into an empty folder per section."""

import contextlib
import re
import shlex

from campaigns import warm
from conftest import ROOT

PAGE = (ROOT / "docs" / "examples.md").read_text()
SECTIONS = dict(
    section.split("\n", 1) for section in re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]
)


class Folder:
    """A folder into which the blocks of a section are pasted, in their order."""

    def __init__(self, path, title):
        self.path = path
        self.calls = 0
        self.blocks = re.findall(r"```(\w+)\n(.*?)```", SECTIONS[title], re.DOTALL)

    def paste(self, count):
        """Paste the next blocks; what the last one printed."""
        blocks, self.blocks = self.blocks[:count], self.blocks[count:]
        printed = ""
        for language, block in blocks:
            if language == "sh":
                printed = "".join(self.pgcore(line) for line in block.splitlines())
                continue
            name = re.search(r"\w+\.\w+", block.splitlines()[0]).group()
            (self.path / name).write_text(block)
            if language == "python":
                printed = self.warm(warm.script, name)
        return printed

    def pgcore(self, line):
        program, *arguments = shlex.split(line)
        assert program == "pgcore"
        return self.warm(warm.pgcore, *arguments)

    def warm(self, function, *arguments):
        """What a process prints that has loaded pgcore; one starts for 5 s else."""
        self.calls += 1
        log = self.path.with_suffix(f".{self.calls}.log")
        with contextlib.chdir(self.path):
            process = warm.Called(function, *arguments, log=log)
        status, said = process.end(120)
        assert status == 0, said[-3000:]
        return said

    def cells(self, variable):
        """The cells of a variable, one file each, and when they were written."""
        files = [f for f in (self.path / variable / "c").rglob("*") if f.is_file()]
        return {f: f.stat().st_mtime_ns for f in files}


def test_every_section_is_tested():
    assert list(SECTIONS) == [
        "A model of your own",
        "Any Gymnasium environment",
        "Two networks and a study that grows",
    ]


def test_a_model_of_your_own_has_the_same_bits_everywhere(tmp_path):
    folder = Folder(tmp_path, "A model of your own")
    assert "gradient_quality.png" in folder.paste(3)
    said = folder.paste(1).splitlines()[-1]
    assert said == "equal to the bit: gradient, value, landscape"
    assert not folder.blocks


def test_a_gymnasium_environment_is_trained_and_studied(tmp_path):
    folder = Folder(tmp_path, "Any Gymnasium environment")
    assert "gradient_quality.png" in folder.paste(1)
    assert "value_errors.png" in folder.paste(1)
    assert (tmp_path / "landscape" / "landscape.html").exists()
    rewards = [float(x) for x in re.findall(r"-[\d.]+", folder.paste(1))]
    assert len(rewards) == 2 and not folder.blocks


def test_a_study_grows_without_computing_a_cell_twice(tmp_path):
    folder = Folder(tmp_path, "Two networks and a study that grows")
    folder.paste(2)
    stores = {"gradient/dataset.zarr/gram": (6, 4), "gradient/true.zarr/gradient": (3, 2)}
    before = {name: folder.cells(name) for name in stores}
    assert ": 4 of 10 cells to compute" in folder.paste(1)
    for name, (first, more) in stores.items():
        after = folder.cells(name)
        assert len(before[name]) == first and len(after) == first + more
        assert before[name].items() <= after.items()
    table = [line.split()[-3:] for line in folder.paste(1).splitlines()]
    assert ["1", "0", "2"] in table and ["2", "0", "2"] in table and not folder.blocks
