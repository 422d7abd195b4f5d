"""Random numbers: published vectors, the NumPy twin, distributions, independence."""

import numpy as np
import pytest
from scipy import stats

from pgcore import _core
from pgcore.rollout import reference

# Known answers of the authors' Random123 library, philox4x32 with 10 rounds.
KNOWN = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    (
        (0xFFFFFFFF,) * 4,
        (0xFFFFFFFF,) * 2,
        (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD),
    ),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


@pytest.mark.parametrize(("counter", "key", "expected"), KNOWN)
def test_philox_gives_the_published_vectors(counter, key, expected):
    assert tuple(_core.philox4x32(counter, key)) == expected
    assert tuple(reference.philox4x32(np.array(counter), np.array(key))) == expected


@pytest.mark.parametrize("n", [1, 2, 3, 17])
@pytest.mark.parametrize("purpose", [0, 1, 2])
def test_native_draws_equal_the_numpy_twin(n, purpose):
    seed, stream, trajectory, step = 2**63 + 12345, 2**31 + 7, 3, 991
    address = (seed, stream, trajectory, step, purpose, n)
    twin = (seed, stream, trajectory, np.array([step]), purpose, n)
    np.testing.assert_array_equal(_core.uniform(*address), reference.uniform(*twin)[0])
    # 1e-14: log, cos and sin of two libraries differ in the last place
    np.testing.assert_allclose(_core.normal(*address), reference.normal(*twin)[0], atol=1e-14)


def test_every_part_of_the_address_matters():
    base = [1, 2, 3, 4, 2]
    first = _core.normal(*base, 4)
    for position in range(len(base)):
        other = list(base)
        other[position] = 0
        assert not np.isclose(first, _core.normal(*other, 4)).any()


def test_normals_are_standard_and_independent_across_streams_and_seeds():
    steps = np.arange(20_000)
    draws = {
        (seed, stream): reference.normal(seed, stream, 0, steps, reference.ACTION, 3)
        for seed in (0, 1)
        for stream in (0, 1)
    }
    columns = np.concatenate(list(draws.values()), axis=1)
    # Kolmogorov-Smirnov at 1e-4 per column: 12 columns, false alarm about 1 in 1000
    for column in columns.T:
        assert stats.kstest(column, "norm").pvalue > 1e-4
    # 12 columns of 20000: correlations have std 0.007; 5 std over 66 pairs
    correlation = np.corrcoef(columns.T) - np.eye(12)
    assert np.abs(correlation).max() < 5 / np.sqrt(len(steps))
