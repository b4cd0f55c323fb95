"""Mutation tests of the derivatives: a wrong one for every rule, and which mutants survive.

`python -m tests.mutants` tries all of them (some minutes), `python -m tests.mutants sin matmul`
those of some rows. A mutant is a row with a wrapped rule, or an edited function that derivatives
call; all are made at run time. Each is tried in its own process: first on the tests of the table
for its rows; if it survives, on the same with more examples; then on all other tests of the
operations. This program is one file, a fifth of it the table of equivalent mutants.
"""

import signal
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from functools import cache, partial
from inspect import Parameter, signature
from multiprocessing import get_context
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any, NamedTuple

import numpy as np

import autodiff
from autodiff.core.graph import Op, data_of
from autodiff.ops.general import General
from autodiff.ops.registry import BY_FUNCTION, TABLE
from autodiff.ops.table import Elementwise, Linear, Rule, conj, is_complex, over

HERE = Path(__file__).parent
OPS = HERE / "autodiff" / "ops"
sys.path[:0] = [str(HERE), str(OPS)]

from edits import edits, names_in  # noqa: E402

SECONDS = 100  # after which a test counts as failed
FEW, MANY = None, 50  # numbers of examples: None is the profile's

OTHER_TESTS = [
    "-xqpno:cacheprovider",
    "-Wignore:Module already imported",
    f"--ignore={OPS / 'test_table.py'}",
    f"--ignore={OPS / 'test_accuracy.py'}",
    str(OPS),
    str(HERE / "autodiff" / "nodes" / "test_programs_in_place.py"),
    str(HERE / "autodiff" / "nodes" / "test_writing.py"),
    str(HERE / "autodiff" / "transforms" / "test_rules.py"),
]

STAND_INS = {"item": ["slogdet", "modf"], "tensor": ["cross_entropy"]}
"""Rows without a case, and the rows whose tests cover them."""
OPERATIONS = str(Path(autodiff.__file__).parent / "ops")

HOW = {"dtype", "interpolation", "optimize", "overwrite_input"}
"""Parameters that change how a result is computed, but not its value."""
CONSTANT = "constant to the next derivative"
STEPS = """
    absolute conjugate copysign fabs fmax fmin fmod heaviside imag maximum minimum relu remainder
    where max max_pool2d min nanmax nanmin median nanmedian nanpercentile nanquantile percentile
    quantile
"""
BETWEEN_JUMPS = "cummax cummin frexp modf unwrap"
REAL = """
    bessel_i frexp ldexp max_pool2d modf nanpercentile nanquantile percentile quantile tensor unwrap
"""
REAL_WEIGHTS = "max min nanmax nanmin nanmean nansum"
BY_Q = ("quantile", "nanquantile", "percentile", "nanpercentile")
REAL_RESULT = "eigvalsh nanstd nanvar std var vector_norm"
WEIGHTED = """
    logsumexp max min nanmax nanmean nanmin nanprod nanstd nansum nanvar prod std var
"""
EQUIVALENT: dict[tuple[str, str], str] = {
    **{
        (name, "*: 1 for -1 in same.any(axis=-1)"): "what coincides does so mutually"
        for name in ("eigh", "eig", "svd")
    },
    ("eigh", "Decomposition._marked: [[]1] for *"): "any NaN makes the walk ask the row",
    ("svd", "jvps[[]0]: without full_matrices"): "the shapes of the result tell",
    ("svd", "_svd_jvp: t for hermitian_part(t)"): "of Hermitian matrices, u and v differ by signs",
    (
        "svd",
        "singular_values_jvp: 1 for -1 in vh.shape[[]-1]",
    ): "of two axes the last is the second",
    ("pinv", "_kept: np.finfo(values.dtype).eps for size * np.finfo(values.dtype).eps"): (
        "a value as near to the limit as that raises in either case"
    ),
    ("qr", "singular: 1 for -1 in (np.abs(inverse) @ np.abs(a)).sum(axis=-1)"): (
        "the largest sums of rows and columns agree up to a factor n, and only their order counts"
    ),
    ("qr", "singular: 1 for -1 in a.shape[[]-1]"): "both axes have length n",
    ("eig", "_alike: 1 / spread[[]..., -1:] for *"): (
        "of vectors of length 1 the largest singular value is between 1 and √n"
    ),
    ("round", "*"): "its derivative is zero, whatever the factor",
    **{
        (name, f"_order_statistic.*: *{part}*"): "its q is a constant"
        for name in ("median", "nanmedian")
        for part in ("data_of(q)", "growth", "count", "own(q)")
    },
    **{
        (name, "_growth: 0 for 0 [*] count"): "it is broadcast where it is used"
        for name in ("median", "nanmedian", *BY_Q)
    },
    **{(name, "??ps[[]1]: without weights"): "with weights it is a step in q" for name in BY_Q},
    **{
        (name, f"_order_statistic.neighbours: *{part} for *{part} / whole"): "whole is 1"
        for name in ("quantile", "nanquantile")
        for part in ("_method(params))", "_under(alike(own(q), x), out)")
    },
    ("conjugate", "∂0: its conjugate"): "its partial on complex numbers is 0",
    ("sign", "∂0: its conjugate"): "its partial is real",
    ("rfft", "transposes*: its conjugate"): "the result of the transpose is real",
    ("affine", f"??ps[[]2]: {CONSTANT}"): "it is linear in b",
    ("affine", "vjps[[]2]: turned along its first axis"): "the cotangent is summed over that axis",
    ("cholesky", "*: _half_lower(out @ g) for adjoint(_half_lower(out @ g))"): (
        "the matrix and its adjoint have the same Hermitian part"
    ),
    ("convolve", "_vector: 1 for -1 *"): "a number has one element",
    ("cross_entropy", "_excess: 1 for -1 *"): "of two axes the last is the second",
    ("matmul", "_right: 1 for -1 in expand_dims(x, axis=-1)"): "of two axes the last is the second",
    ("prod", "_others: 1 for -1 *"): "of two axes the last is the second",
    ("setitem", "_assigned_part: len(shape_of(value)) for len(shape_of(value)) - kept.ndim"): (
        "additional leading axes of length 1 are undone like broadcast ones"
    ),
    ("vecdot", "_along: -1 for like.ndim - 1"): "both are the last axis",
    ("nansum", "*: without initial"): "its derivative does not depend on initial",
    **{(name, f"*: {CONSTANT}"): "it is linear" for name in ("nanmean", "nansum", "sum")},
    **{(name, f"*: {CONSTANT}"): "its partials are steps" for name in STEPS.split()},
    **{
        (name, f"*: {CONSTANT}"): "it is linear between its jumps" for name in BETWEEN_JUMPS.split()
    },
    **{(name, "*: its conjugate"): "it takes real numbers only" for name in REAL.split()},
    **{
        (name, "weighted.vjp: partials(*) for conj(*)"): "its weights are real"
        for name in REAL_WEIGHTS.split()
    },
    **{
        (name, "jvps*: its conjugate"): "the engine takes the real part, as the result is real"
        for name in REAL_RESULT.split()
    },
    **{
        (name, f"*: {part} for real({part})"): "the engine takes the real part itself"
        for name, part in [
            ("eigh", "diagonal(inner)"),
            ("eigvalsh", "sum(*)"),
            ("lstsq", "conj(rest) * change"),
            ("slogdet", "change"),
            ("svd", "sum(conj(u) * (t @ adjoint(vh)), axis=-2)"),
            ("svd", "diagonal(inner)"),
            ("vector_norm", "conj(*) * t"),
        ]
    },
    **{
        (name, "vjps*: without keepdims"): "the shape of the cotangent is that of the array"
        for name in WEIGHTED.split()
    },
}
"""Mutants that compute the same as the row, by row and a pattern of the mutation, and why."""


class Mutant(NamedTuple):
    rows: Sequence[str]
    """The row, or all rows that share the mutated function."""
    what: str
    apply: Callable[[], None]

    def __str__(self) -> str:
        return f"{self.rows[0]}: {self.what}"

    @property
    def equivalent(self) -> bool:
        """Whether it computes the same as the original."""
        return any(
            name == self.rows[0] and fnmatchcase(self.what, pattern) for name, pattern in EQUIVALENT
        )


class Counts(NamedTuple):
    """Numbers of mutants by outcome."""

    made: int
    killed: int
    survived: int
    equivalent: int

    def __str__(self) -> str:
        return (
            f"{self.made} mutants: {self.killed} killed, {self.survived} survived, "
            f"{self.equivalent} equivalent"
        )


def each(change: Callable[[Any], Any], result: Any) -> Any:
    """Apply `change` to the result of a rule or to each of its parts, except None (zero)."""
    if isinstance(result, tuple):
        return type(result)(each(change, part) for part in result)  # type: ignore[call-arg]
    return None if result is None else change(result)


def turned(axis: int) -> Callable[[Any], Any]:
    """Return a change that reverses an array along an axis."""

    def change(x: Any) -> Any:
        if not getattr(x, "ndim", 0):
            return 2 * x
        return x[::-1] if axis == 0 else x[..., ::-1]

    return change


SIZES: dict[str, Callable[[Any], Any]] = {
    "its sign": lambda x: -x,
    "a factor 2": lambda x: 2 * x,
    "a factor 1.0001": lambda x: 1.0001 * x,
    "zero": lambda x: 0 * x,
}
CONJUGATE = {"its conjugate": lambda x: conj(x) if is_complex(x) else x}
PLACES = {"turned along its first axis": turned(0), "turned along its last axis": turned(-1)}


def constants(args: Any) -> list[Any]:
    return [constants(arg) if isinstance(arg, list | tuple) else data_of(arg) for arg in args]


def changed(rule: Rule, change: Callable[[Any], Any], *args: Any, **params: Any) -> Any:
    return each(change, rule(*args, **params))


def of_partials(op: Elementwise) -> Iterator[tuple[str, str, Any]]:
    from cases.elementwise import COMPLEX

    for k, rule in enumerate(op.partials):

        def replaced(by: Any, k: int = k) -> tuple[Any, ...]:
            return (*op.partials[:k], by, *op.partials[k + 1 :])

        where = f"∂{k}: "
        if not callable(rule):
            for by in {-rule, 2 * rule, 0, 1} - {rule}:
                yield where + f"{by} for {rule}", "partials", replaced(by)
            continue
        for what, change in (SIZES | (CONJUGATE if op.name in COMPLEX else {})).items():
            yield where + what, "partials", replaced(partial(changed, rule, change))
        yield where + "1", "partials", replaced(1)
        yield (
            where + CONSTANT,
            "partials",
            replaced(lambda out, *args, rule=rule: rule(data_of(out), *constants(args))),
        )
        if isinstance(rule, over):
            double = over(lambda *args, rule=rule: 2 * rule.root(*args), rule.squared)
            yield where + "a divisor 2", "partials", replaced(double)
        if op.arity == 2:
            yield (
                where + "arguments swapped",
                "partials",
                replaced(lambda out, x, y, rule=rule: rule(out, y, x)),
            )
        for j, other in enumerate(op.partials):
            if other is not rule:
                yield where + f"that of ∂{j}", "partials", replaced(other)
    if op.conjugated:
        q = op.conjugated
        for by, what in [(-1, "its sign"), (2, "a factor 2"), (0, "zero")]:
            value = partial(changed, q, partial(np.multiply, by)) if callable(q) else by * q
            yield f"conjugated: {what}", "conjugated", value


def reads(rule: FunctionType, name: str) -> bool:
    """Return whether a rule uses this parameter, by name or by **."""
    known = signature(rule).parameters
    if name in known:
        used = known[name].default is not Parameter.empty and name in names_in(rule)
    else:
        used = any(parameter.kind is Parameter.VAR_KEYWORD for parameter in known.values())
    return used and name not in HOW


def of_rules(op: Linear | General, attribute: str) -> Iterator[tuple[str, str, Any]]:
    rules: tuple[Rule, ...] = getattr(op, attribute)
    for k, rule in enumerate(rules):

        def replaced(by: Rule, k: int = k) -> tuple[Rule, ...]:
            return (*rules[:k], by, *rules[k + 1 :])

        where = f"{attribute}[{k}]: "
        for what, change in (SIZES | CONJUGATE | PLACES).items():
            yield where + what, attribute, replaced(partial(changed, rule, change))

        def unrecorded(*args: Any, rule: Rule = rule, **params: Any) -> Any:
            return rule(*args[:1], *constants(args[1:]), **params)

        if isinstance(op, General) or not (op.arity == 1 or op.jointly):  # else of shapes only
            yield where + CONSTANT, attribute, replaced(unrecorded)
        for j, other in enumerate(rules):
            if other is not rule:
                yield where + f"that of [{j}]", attribute, replaced(other)
        for name in filter(partial(reads, rule), op.parameters):

            def without(*args: Any, rule: Rule = rule, name: str = name, **params: Any) -> Any:
                params.pop(name, None)
                return rule(*args, **params)

            yield where + f"without {name}", attribute, replaced(without)


def of_methods(op: Op) -> Iterator[tuple[str, str, Any]]:
    """Yield mutants of a row that computes its derivatives without rules."""
    for attribute in ("vjp", "jvp"):
        for what, change in (SIZES | PLACES).items():
            yield (
                f"{attribute}: {what}",
                attribute,
                partial(changed, getattr(op, attribute), change),
            )


RULES = ("partials", "conjugated", "transposes", "vjps", "jvps", "rule")
"""Attributes of rows that hold their rules."""


def rules_of(op: Op) -> Iterator[Any]:
    for attribute in RULES:
        told = getattr(op, attribute, ())
        yield from told if isinstance(told, tuple) else [told]


@cache
def known_in(module: str) -> dict[str, Any]:
    """Return the values of all names in a module, including the methods of its classes."""
    known = vars(sys.modules[module])
    own = [x for x in known.values() if isinstance(x, type) and x.__module__ == module]
    return {name: x for kind in own for name, x in vars(kind).items()} | known


def called(code: Any, known: dict[str, Any]) -> Iterator[Any]:
    """Yield the values of the names in a code object, and in the code inside it."""
    yield from map(known.get, code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from called(constant, known)


def derivative(op: Op) -> dict[FunctionType, None]:
    """Return the functions of the operations' modules that a row's derivative calls.

    Without the public functions, whose own mutants are tried.
    """
    found: dict[FunctionType, None] = {}
    waiting = [type(op).vjp, type(op).jvp, *rules_of(op)]
    public = set(map(id, BY_FUNCTION.values()))
    for candidate in waiting:
        if isinstance(candidate, over):
            waiting += [candidate.root, over.__call__]
        if (
            isinstance(candidate, FunctionType)
            and candidate.__code__.co_filename.startswith(OPERATIONS)
            and id(candidate) not in public
            and candidate not in found
        ):
            found[candidate] = None
            waiting += called(candidate.__code__, known_in(candidate.__module__))
            waiting += [cell.cell_contents for cell in candidate.__closure__ or ()]
    return found


@cache
def serving() -> dict[FunctionType, list[str]]:
    """Return the functions that derivatives call, each with its rows."""
    found: dict[FunctionType, list[str]] = {}
    for name, op in TABLE.items():
        for function in derivative(op):
            found.setdefault(function, []).append(name)
    return found


@cache
def mutants(name: str) -> list[Mutant]:
    """Return the mutants of a row, and of the functions for which it is the first row."""
    op = TABLE[name]
    if not op.arity:
        return []  # without inputs, no rule is ever called
    if isinstance(op, Elementwise):
        wrapped = [*of_partials(op)]
    elif isinstance(op, Linear):
        wrapped = [*of_rules(op, "transposes")]
        if op.arity != 1:
            wrapped.append(("jointly, or not", "jointly", not op.jointly))
    elif isinstance(op, General):
        wrapped = [*of_rules(op, "vjps"), *of_rules(op, "jvps")]
    else:
        wrapped = [*of_methods(op)]
    return [
        Mutant([name], what, partial(setattr, op, attribute, value))
        for what, attribute, value in wrapped
    ] + [
        Mutant(names, str(edit), edit.apply)
        for function, names in serving().items()
        if names[0] == name
        for edit in edits(function)
    ]


def tests_of(names: Sequence[str], examples: int | None) -> Iterator[Callable[[], Any]]:
    """Yield the tests of the table for these rows, with this number of examples."""
    import accuracy
    import test_table as table
    from hypothesis import settings

    ops = [TABLE[name] for row in names for name in STAND_INS.get(row, [row])]
    functions = [
        name
        for op in ops
        for name, function in table.FUNCTIONS.items()
        if function.ours is op or name == op.name
    ]
    for test in (
        table.test_jvp_and_vjp_are_adjoint,
        table.test_second_derivatives_are_the_same_by_every_pair_of_modes,
        table.test_both_modes_and_both_orders_agree_with_numerical_differentiation,
        table.test_complex_derivatives_agree_with_numerical_differentiation,
        table.test_tensor_says_what_an_array_of_values_says,
        table.test_float32_stays_float32_in_both_directions_and_says_the_same,
    ):
        if examples:
            settings(max_examples=examples)(test)
        for name in functions:
            yield partial(test, name=name)
    for op in ops:
        if isinstance(op, Elementwise):
            yield partial(table.test_value_is_a_0d_tensor, op=op)
            if op.name in accuracy.REFERENCES:
                yield partial(accurate, op.name)


def accurate(name: str) -> None:
    import accuracy

    worst = accuracy.measure(name, accuracy.grid(accuracy.REFERENCES[name].domain, 5))
    assert all(w.units <= accuracy.bound(name, order) for order, w in enumerate(worst))


def out_of_time(*_: Any) -> None:
    raise TimeoutError(f"a test took {SECONDS} seconds")


Task = tuple[str, int]
"""A row, and the number of a mutant of it."""


def survives(task: Task) -> tuple[Task, bool]:
    """Return whether all tests pass with the mutant."""
    import pytest

    name, index = task
    signal.signal(signal.SIGALRM, out_of_time)
    mutant = mutants(name)[index]
    mutant.apply()
    if not passes(tests_of(mutant.rows, FEW)):
        return task, False
    if not passes(tests_of(mutant.rows, MANY)):
        return task, False
    others = subprocess.run(
        [sys.executable, "-m", "tests.mutants", "--others", name, str(index)],
        cwd=HERE.parent,
        capture_output=True,
        text=True,
    )
    if others.returncode not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        raise RuntimeError(f"the other tests did not run on {mutant}:\n{others.stdout}")
    return task, others.returncode == pytest.ExitCode.OK


def passes(tests: Iterable[Callable[[], Any]]) -> bool:
    import pytest

    for test in tests:
        signal.alarm(SECONDS)
        try:
            test()
        except pytest.skip.Exception:
            continue
        except BaseException:
            return False
        finally:
            signal.alarm(0)
    return True


def try_others(name: str, index: int) -> int:
    """Run all other tests of the operations, in a process that has not imported them yet."""
    import pytest

    class Mutation:
        def pytest_collection_finish(self) -> None:
            mutants(name)[index].apply()

    return pytest.main(OTHER_TESTS, plugins=[Mutation()])


def sweep(names: Sequence[str] = ()) -> Counts:
    """Try the mutants of these rows, or of all rows, and print the survivors."""
    warnings.simplefilter("error")  # as in the tests
    warnings.filterwarnings("ignore", "numpy.fix is deprecated")
    import conftest  # noqa: F401  registers the Hypothesis profiles
    from hypothesis import Phase, settings

    profile = settings.get_profile("repeatable")
    settings.register_profile("mutants", profile, phases=[Phase.explicit, Phase.generate])
    settings.load_profile("mutants")
    import accuracy  # noqa: F401  before the processes fork
    import test_table  # noqa: F401

    if unknown := {*names} - {*TABLE}:
        sys.exit(
            f"no such row of the table: {', '.join(sorted(unknown))} (linalg.qr is 'qr' there)"
        )
    every = [(name, k) for name in names or TABLE for k in range(len(mutants(name)))]
    tasks = [(name, k) for name, k in every if not mutants(name)[k].equivalent]
    survived = 0
    with get_context("fork").Pool(maxtasksperchild=1) as pool:
        for (name, index), alive in pool.imap_unordered(survives, tasks, chunksize=1):
            if alive:
                survived += 1
                print("survived", mutants(name)[index], flush=True)
    return Counts(len(every), len(tasks) - survived, survived, len(every) - len(tasks))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--others"]:
        sys.exit(try_others(sys.argv[2], int(sys.argv[3])))
    counts = sweep(sys.argv[1:])
    print(counts)
    sys.exit(counts.survived > 0)
