"""Every row and random programs against PyTorch and JAX, where they are installed.

Their functions are in `tests/peers.py` and `tests/peer_names.py`. HYPOTHESIS_PROFILE=thorough
compares all rows; the default is a few of them, since JAX compiles each.
"""

import numpy as np
import pytest
from cases import CASES
from hypothesis.errors import Unsatisfiable
from kink_measures import THEIRS, of_peer, same
from kinks import every
from peers import JAX, THOROUGH, PyTorch, compare, compare_programs, installed


def some(kind, step):
    return [(kind, name) for name in kind.rows()[:: 1 if THOROUGH else step]]


@pytest.mark.parametrize(("kind", "name"), some(PyTorch, 4) + some(JAX, 40))
def test_a_row_agrees_with_a_peer(kind, name):
    peer = installed(kind)
    try:
        peer.function(name)
    except LookupError:
        pytest.skip("another version, without it")
    assert compare(peer, name, None if THOROUGH else 2)


@pytest.mark.parametrize(("kind", "programs"), [(PyTorch, 10), (JAX, 1)])
def test_programs_agree_with_a_peer(kind, programs):
    assert compare_programs(installed(kind), programs * (20 if THOROUGH else 1))


@pytest.mark.parametrize("kind", [PyTorch, JAX])
def test_not_compared_lists_only_existing_functions(kind):
    peer = installed(kind)
    if not peer.is_the_listed_version():
        pytest.skip(f"the lists were made with {kind.version}")
    missing = set()
    for name in CASES:
        try:
            peer.function(name)
        except LookupError:
            missing.add(name)
    assert missing - {"chain"} == set(kind.not_compared["has no function for it"].split())
    every = [name for names in kind.not_compared.values() for name in names.split()]
    assert len(every) == len(set(every))
    assert set(every) <= set(CASES)


@pytest.mark.skipif(not THOROUGH, reason="takes long, with JAX above all")
@pytest.mark.parametrize(
    "name",
    [
        name
        for reason, names in PyTorch.not_compared.items()
        if reason != "has no function for it"
        for name in names.split()
    ],
)
def test_rows_that_are_not_compared_would_fail(name):
    with pytest.raises((AssertionError, ExceptionGroup, Unsatisfiable, UserWarning)):
        compare(installed(PyTorch), name, 50)


@pytest.mark.parametrize(
    ("kind", "some"), [(PyTorch, every()), (JAX, every()[:: 1 if THOROUGH else 40])]
)
def test_peers_agree_with_the_record_at_kinks(kind, some):
    peer = installed(kind)
    if not peer.is_the_listed_version():
        pytest.skip(f"recorded of {kind.version}")
    with np.errstate(all="ignore"):
        for kink in some:
            assert_recorded(peer, kink)


def assert_recorded(peer, kink):
    recorded = kink.pytorch if isinstance(peer, PyTorch) else kink.jax
    found = of_peer(peer, kink)
    assert same(found, recorded or kink.ours, THEIRS), (kink, found)
