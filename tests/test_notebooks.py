"""The notebooks of docs/notebooks: each is what its source says, and runs from agent to table."""

import base64
import io
import re

import nbformat
import pytest
from nbclient import NotebookClient
from PIL import Image

from conftest import ROOT
from pgcore.studies.catalog import STUDIES

FOLDER = ROOT / "docs" / "notebooks"


@pytest.mark.timeout(600)
@pytest.mark.filterwarnings("default")  # of Jupyter's own packages
def test_every_study_has_a_notebook_that_runs(tmp_path, monkeypatch):
    """One after the other in one kernel, whose names are cleared between them."""
    monkeypatch.syspath_prepend(str(FOLDER))
    import notebooks

    assert {p.stem for p in FOLDER.glob("*.ipynb")} == set(notebooks.NOTEBOOKS) == set(STUDIES)
    whole = nbformat.v4.new_notebook()
    for name in notebooks.NOTEBOOKS:
        file = FOLDER / f"{name}.ipynb"
        assert file.read_text() == notebooks.text_of(name), "python docs/notebooks/notebooks.py"
        whole.cells += [
            nbformat.v4.new_code_cell("%reset -f"),
            *nbformat.read(file, as_version=4).cells,
        ]
    monkeypatch.setenv("PYTHONWARNINGS", "default")
    client = NotebookClient(whole, timeout=200, resources={"metadata": {"path": str(tmp_path)}})
    client.execute()
    outputs = [
        [o for o in cell.outputs if o.output_type != "stream" or o.name == "stdout"]
        for cell in whole.cells if cell.cell_type == "code" and cell.source != "%reset -f"
    ]  # fmt: skip
    for name, shown, printed in zip(notebooks.NOTEBOOKS, outputs[2::4], outputs[3::4],
                                    strict=True):  # fmt: skip
        with Image.open(io.BytesIO(base64.b64decode(shown[-1].data["image/png"]))) as figure:
            assert re.match("Hopper-v5(:|,).*PPO", figure.info["Title"]), name
        assert printed[-1].text.count("\n") > 2, name
