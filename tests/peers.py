"""Our derivatives against those of PyTorch and JAX, where these are installed.

`python -m tests.peers` compares every row of the table that they have, and random programs. JAX
spends most of the time compiling, so the tests compare fewer.
"""

import ast
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from importlib import import_module
from operator import attrgetter
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import autodiff as ad
from autodiff.ops.registry import BY_FUNCTION
from autodiff.testing import expressions

sys.path.insert(0, str(Path(__file__).parent))

from cases import CASES
from cases.case import Case
from peer_names import (
    NOT_IN_JAX,
    NOT_IN_PYTORCH,
    PYTORCHS_PARAMETERS,
    of_jax,
    of_pytorch,
)

Arrays = Sequence[Any]


class Derivatives(NamedTuple):
    """Derivatives of the weighted sum of all results, and along one direction.

    `pushed` is the tangent of the results, `second` the tangent of the gradients.
    """

    results: Arrays
    gradients: Arrays
    pushed: Arrays
    second: Arrays


Function = Callable[[Arrays], Any]


def floating(results: Any) -> list[Any]:
    """Return all floating arrays in the results of a call."""
    if isinstance(results, tuple | list):
        return [array for part in results for array in floating(part)]
    return [results] if "float" in str(results.dtype) or "complex" in str(results.dtype) else []


def product(one: Arrays, other: Arrays, xp: Any = np) -> Any:
    """Return the real inner product of two lists of arrays."""
    return sum(xp.sum(xp.real(xp.conj(x) * y)) for x, y in zip(one, other, strict=True))


class Peer:
    """Another library of derivatives, called by NumPy's names and parameters."""

    module: str
    version: str
    """The version for which `not_compared` was written."""
    not_compared: dict[str, str]
    examples: int
    """Number of calls of a row to compare."""

    places: Sequence[Any]
    """The modules with its functions."""
    refusals: tuple[type[Exception], ...]
    """Exceptions that it raises for parameters it does not support."""
    otherwise: dict[str, Callable[..., Any]]
    """Its functions that have another name or other parameters."""

    def function(self, name: str) -> Callable[..., Any]:
        """Return its function for a row."""
        if name in self.otherwise:
            return self.otherwise[name]
        for place in self.places:
            with suppress(AttributeError):
                return self.adapted(attrgetter(name)(place))
        raise LookupError(f"{self.module} has no {name}")

    def is_the_listed_version(self) -> bool:
        """Return whether `version` is installed."""
        installed: str = import_module(self.module).__version__
        return installed.startswith(f"{self.version}.")

    @classmethod
    def rows(cls) -> list[str]:
        """Return the rows that are compared."""
        without = {name for names in cls.not_compared.values() for name in names.split()}
        return [name for name in CASES if name not in without | {"chain"}]

    def adapted(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return one of its functions with NumPy's parameters."""
        return function

    def gradients(self, f: Function, arrays: Arrays, weights: Arrays) -> Arrays:
        """Return the first derivatives of a function of its arrays."""
        raise NotImplementedError

    def derivatives(
        self, f: Function, arrays: Arrays, weights: Arrays, directions: Arrays
    ) -> Derivatives:
        """Return all derivatives that are compared."""
        raise NotImplementedError


class PyTorch(Peer):
    """Reverse mode only: a tangent is the gradient, by u, of a map that is linear in u."""

    module, version, not_compared, examples = "torch", "2.13", NOT_IN_PYTORCH, 10

    def __init__(self) -> None:
        self.torch = torch = import_module("torch")
        self.places = (torch, torch.special, torch.nn.functional)
        self.refusals = (TypeError, ValueError, IndexError, RuntimeError)
        self.otherwise = of_pytorch(torch)

    def adapted(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function with NumPy's parameter names."""

        def call(*args: Any, **params: Any) -> Any:
            if params.get("axis", 0) == ():
                raise TypeError("axis=() means all axes in PyTorch")
            args = tuple(map(self._tensor, args))
            renamed = {
                PYTORCHS_PARAMETERS.get(key, key): self._tensor(x) for key, x in params.items()
            }
            return function(*args, **renamed)

        return call

    def _tensor(self, x: Any) -> Any:
        return self.torch.tensor(x) if isinstance(x, np.ndarray | np.generic) else x

    def _gradients(self, total: Any, by: Arrays, **options: Any) -> Arrays:
        found = [None] * len(by)
        if getattr(total, "requires_grad", False):
            found = self.torch.autograd.grad(total, by, allow_unused=True, **options)
        return [x.new_zeros(x.shape) if g is None else g for x, g in zip(by, found, strict=True)]

    def _variables(self, arrays: Arrays) -> Arrays:
        return [self.torch.tensor(x, requires_grad=True) for x in arrays]

    def gradients(self, f: Function, arrays: Arrays, weights: Arrays) -> Arrays:
        variables = self._variables(arrays)
        weighing = [self.torch.tensor(w) for w in weights]
        total = product(weighing, floating(f(variables)), self.torch)
        return [g.numpy(force=True) for g in self._gradients(total, variables)]

    def derivatives(
        self, f: Function, arrays: Arrays, weights: Arrays, directions: Arrays
    ) -> Derivatives:
        torch = self.torch
        variables, weighing = self._variables(arrays), self._variables(weights)
        results = floating(f(variables))
        first = self._gradients(product(weighing, results, torch), variables, create_graph=True)
        along = product([torch.tensor(v) for v in directions], first, torch)
        by_all = self._gradients(along, [*variables, *weighing])
        second, pushed = by_all[: len(variables)], by_all[len(variables) :]
        parts = [[x.numpy(force=True) for x in part] for part in (results, first, pushed, second)]
        return Derivatives(*parts)


class JAX(Peer):
    """Forward over reverse mode; its gradients are the complex conjugates of ours."""

    module, version, not_compared, examples = "jax", "0.10", NOT_IN_JAX, 2

    def __init__(self) -> None:
        self.jax = jax = import_module("jax")
        jax.config.update("jax_enable_x64", True)
        special = import_module("jax.scipy.special")
        self.places = (jax.numpy, jax.nn, special)
        self.refusals = (TypeError, ValueError, IndexError, NotImplementedError)
        self.otherwise = of_jax(jax)

    def _gradient(self, f: Function, weights: Arrays) -> Callable[[Arrays], Any]:
        def total(variables: Arrays) -> tuple[Any, Arrays]:
            results = floating(f(variables))
            return product(weights, results, self.jax.numpy), results

        gradient: Callable[[Arrays], Any] = self.jax.grad(total, has_aux=True)
        return gradient

    def gradients(self, f: Function, arrays: Arrays, weights: Arrays) -> Arrays:
        found, _ = self.jax.jit(self._gradient(f, weights))([*arrays])
        return [np.conj(g) for g in found]

    def derivatives(
        self, f: Function, arrays: Arrays, weights: Arrays, directions: Arrays
    ) -> Derivatives:
        gradient = self._gradient(f, weights)

        @self.jax.jit
        def along(variables: Arrays, directions: Arrays) -> Any:
            return self.jax.jvp(gradient, (variables,), (directions,))

        (first, results), (second, pushed) = along([*arrays], [*directions])
        conjugated = [[np.conj(g) for g in part] for part in (first, second)]
        return Derivatives(results, conjugated[0], pushed, conjugated[1])


def ours(name: str) -> Callable[..., Any]:
    """Return our function for a row; `autodiff.trace` is another function."""
    return BY_FUNCTION[np.trace] if name == "trace" else attrgetter(name)(ad)


def of_ours(f: Function, arrays: Arrays, weights: Arrays, directions: Arrays) -> Derivatives:
    def results(*variables: Any) -> list[Any]:
        return floating(f(variables))

    def total(*variables: Any) -> Any:
        return product(weights, results(*variables))

    values, pullback = ad.vjp(results, *arrays)
    _, pushed = ad.jvp(results, tuple(arrays), tuple(directions))
    second = ad.hvp(total, tuple(arrays), tuple(directions))
    return Derivatives(values, pullback([*weights]), pushed, second)


def of_peer(
    peer: Peer, name: str, case: Case, arrays: Arrays, weights: Arrays, directions: Arrays
) -> Derivatives:
    """Return a peer's derivatives by `arrays`, which our functions map to its arguments m(x).

    By the chain rule, of second order too: H of f(m(x)) along v is mᵀ H m v plus the derivative of
    mᵀ g along v.
    """
    function = peer.function(name)
    made, pullback = ad.vjp(case.make, *arrays)
    _, moved = ad.jvp(case.make, tuple(arrays), tuple(directions))
    found = peer.derivatives(
        lambda variables: case.call(function, variables, case.params), made, weights, moved
    )
    turning = ad.hvp(
        lambda *x: product(found.gradients, case.make(*x)), tuple(arrays), tuple(directions)
    )
    through = [pullback(type(made)(part)) for part in (found.gradients, found.second)]
    second = [x + y for x, y in zip(through[1], turning, strict=True)]
    return Derivatives(found.results, through[0], found.pushed, second)


PEERS = (PyTorch, JAX)
THOROUGH = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"
"""Whether tests compare everything, however long it takes."""


@cache
def installed(kind: type[Peer]) -> Peer:
    """Return a peer; skip the test if it is not installed."""
    pytest.importorskip(kind.module)
    return kind()


CHOOSY = [HealthCheck.too_slow, HealthCheck.filter_too_much]
"""A peer may accept few of our calls; if it accepts none, Hypothesis raises an error."""

ROOTS = ("std", "nanstd")
"""Rows with cases at a kink, where the result is 0: see tests/kinks.py."""


def like(arrays: Arrays, rng: np.random.Generator) -> list[Any]:
    """Return random numbers of the same shapes, complex where an array is complex."""
    parts = [rng.standard_normal((2, *np.shape(x))) for x in arrays]
    return [
        re + 1j * im if np.iscomplexobj(x) else re
        for (re, im), x in zip(parts, arrays, strict=True)
    ]


def assert_alike(found: Derivatives, theirs: Derivatives, what: str) -> None:
    for part, one, other in zip(Derivatives._fields, found, theirs, strict=True):
        for x, y in zip(one, other, strict=True):
            size = np.max(np.abs(y), initial=0, where=np.isfinite(y))
            np.testing.assert_allclose(
                x, y, rtol=1e-8, atol=1e-9 * (1 + size), err_msg=f"{part} of {what}"
            )


def compare(peer: Peer, name: str, examples: int | None = None) -> int:
    """Compare calls of a row on real and complex numbers; return their number."""
    count = 0

    @settings(max_examples=examples or peer.examples, suppress_health_check=CHOOSY)
    @given(CASES[name], st.booleans(), st.integers(0, 2**32 - 1))
    def check(case: Case, complex: bool, seed: int) -> None:
        nonlocal count
        rng = np.random.default_rng(seed)
        arrays = case.arrays(rng)
        if complex and case.complex:
            arrays = [x + 1j * y for x, y in zip(arrays, case.arrays(rng), strict=True)]
        results = floating(case(ours(name), arrays))
        assume(name not in ROOTS or all(np.all(x != 0) for x in results))
        weights, directions = like(results, rng), like(arrays, rng)
        try:
            theirs = of_peer(peer, name, case, arrays, weights, directions)
        except peer.refusals:
            assume(False)
        assume([*map(np.shape, theirs.results)] == [*map(np.shape, results)])  # as NumPy's
        found = of_ours(lambda x: case(ours(name), x), arrays, weights, directions)
        assert_alike(found, theirs, name)
        count += 1

    check()
    return count


CONSTANTS = {"arange", "array", "nan"}
"""Names that programs take from NumPy itself."""


def of_names(source: str, peer: Peer) -> dict[str, Any]:
    """Return the namespace in which a peer runs a program."""
    listed = {name for names in peer.not_compared.values() for name in names.split()}
    found: dict[str, Any] = {place: SimpleNamespace() for place in ("np", "linalg", "fft")}
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Attribute(ast.Name("np"), name) if name in CONSTANTS:
                setattr(found["np"], name, getattr(np, name))
                continue
            case ast.Attribute(ast.Name("np" | "linalg" | "fft" as place), name):
                known = name if place == "np" else f"{place}.{name}"
            case ast.Name(name) if hasattr(ad, name) and name not in found:
                place, known = None, name
            case _:
                continue
        if known in listed | {"nextafter"}:  # its derivative is a convention where x = y
            raise LookupError(f"{known} is not compared")
        function = peer.function(known)
        if place:
            setattr(found[place], name, function)
        else:
            found[name] = function
    return found


def compare_programs(peer: Peer, examples: int) -> int:
    """Compare random programs of functions that the peer has; return their number."""
    count = 0

    @settings(max_examples=examples, suppress_health_check=CHOOSY)
    @given(st.booleans().flatmap(lambda t: expressions(tensors=t)), st.integers(0, 2**32 - 1))
    def check(program: Any, seed: int) -> None:
        nonlocal count
        rng = np.random.default_rng(seed)
        source, _, _ = repr(program).partition("\nprogram(")  # without the call that follows
        try:
            namespace = of_names(source, peer)
        except LookupError:
            assume(False)
        exec(source, namespace)
        arrays = [np.asarray(x, float) for x in program.point]
        weights, directions = like([program(*arrays)], rng), like(arrays, rng)
        try:
            theirs = peer.derivatives(
                lambda x: namespace["program"](*x), arrays, weights, directions
            )
        except peer.refusals:
            assume(False)
        found = of_ours(lambda x: program(*x), arrays, weights, directions)
        assert_alike(found, theirs, repr(program))
        count += 1

    check()
    return count


def compare_all(peer: Peer) -> str:
    """Return the numbers of rows, calls and programs that were compared (minutes, with JAX)."""
    rows = peer.rows()
    calls = sum(compare(peer, name) for name in rows)
    programs = compare_programs(peer, 200)
    return f"{peer.module}: {len(rows)} functions, {calls:,} calls and {programs} programs alike"


def main() -> None:
    import conftest  # noqa: F401  registers the Hypothesis profiles

    said = []
    for kind in PEERS:
        try:
            peer = kind()
        except ImportError:
            continue
        said.append(compare_all(peer))
        print(said[-1], flush=True)
    print("; ".join(said) or "neither PyTorch nor JAX is installed")


if __name__ == "__main__":
    main()
