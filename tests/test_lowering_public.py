"""The law of lowering on models that others made: those of the packages that are installed.

Gymnasium's models always; of each asset package of the extra "bench" a part, in a fixed order that
mixes its folders. ``tests/survey_models.py`` walks over all of them.
"""

import pytest

import zoo

# of what is old in Gymnasium's files
pytestmark = pytest.mark.filterwarnings("ignore:xml. MuJoCo warns of")

AT_MOST = 6  # model files per package; some need seconds for their meshes
ALL = [(package, path) for package in zoo.PACKAGES for path in zoo.public_models(package)[:AT_MOST]]
ALL += [("gymnasium", path) for path in zoo.public_models("gymnasium")[AT_MOST:]]


def test_gymnasiums_models_are_found():
    names = {path.name for package, path in ALL if package == "gymnasium"}
    assert {"hopper.xml", "walker2d.xml", "half_cheetah.xml", "humanoid.xml"} <= names
    assert len(names) >= 12


@pytest.mark.parametrize("path", [pytest.param(p, id=f"{k}-{p.stem}") for k, p in ALL])
def test_public_models_equal_the_plain_loop(path):
    """Every array of a replay to the bit, from a state near the initial one."""
    verdict, detail = zoo.compare(path)
    assert verdict in ("equal", "no task"), detail
