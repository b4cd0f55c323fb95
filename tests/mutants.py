"""Whether the tests would notice a wrong derivative: mutants of every row, and which survive.

`python -m tests.mutants` tries all of them (some minutes), `python -m tests.mutants sin matmul`
those of some rows. A mutant is a row whose rule was wrapped at run time; no source is changed. Each
is tried in a process of its own: first on the tests of the table that walk this row, then, if it
survives them, on the other tests of the operations.
"""

import dis
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from functools import partial
from inspect import Parameter, signature
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import Phase, settings

from autodiff.graph import Op, data_of
from autodiff.ops.general import General
from autodiff.ops.table import TABLE, Elementwise, Linear, Rule, conj, is_complex, over

HERE = Path(__file__).parent
SECONDS = 120  # after which a mutant that hangs counts as killed

OPS = HERE / "autodiff" / "ops"
OTHER_TESTS = [
    "-xqpno:cacheprovider",
    "-Wignore:Module already imported",
    f"--ignore={OPS / 'test_table.py'}",
    f"--ignore={OPS / 'test_accuracy.py'}",
    str(OPS),
]

CONSTANT = "constant to the next derivative"
STEPS = """
    absolute conjugate copysign fabs fmax fmin fmod heaviside imag maximum minimum relu remainder
    where
"""
EQUIVALENT: dict[tuple[str, str], str] = {
    ("round", "*"): "its derivative is zero, whatever the rule is multiplied by",
    ("conjugate", "∂0: its conjugate"): "its partial on complex numbers is 0",
    ("sign", "∂0: its conjugate"): "its partial is real",
    ("rfft", "transposes*: its conjugate"): "what the transpose returns is real",
    **{(name, f"*: {CONSTANT}"): "its partials are steps" for name in STEPS.split()},
    **{(name, f"*: {CONSTANT}"): "it is linear between its jumps" for name in ("modf", "frexp")},
    **{
        (name, f"*: {CONSTANT}"): "it is linear between its jumps"
        for name in ("unwrap", "cummax", "cummin")
    },
}
"""Mutants, by row and a pattern of what was done, that compute the same as the row, and why."""


def reads(rule: Rule, name: str) -> bool:
    """Whether a rule makes any use of its parameter."""
    return any(step.argval == name for step in dis.get_instructions(rule))


class Mutant(NamedTuple):
    row: str
    what: str
    attribute: str
    value: Any

    def apply(self) -> None:
        setattr(TABLE[self.row], self.attribute, self.value)


def each(change: Callable[[Any], Any], result: Any) -> Any:
    """`change` of a rule's result, or of each part of it; None, for zero, stays."""
    if isinstance(result, tuple):
        return type(result)(each(change, part) for part in result)  # type: ignore[call-arg]
    return None if result is None else change(result)


def turned(axis: int) -> Callable[[Any], Any]:
    """The same numbers in the wrong places along an axis."""

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
    return [data_of(arg) for arg in args]


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
        for name, parameter in signature(rule).parameters.items():
            if name in op.parameters and parameter.default is not Parameter.empty:
                if not reads(rule, name):
                    continue

                def without(*args: Any, rule: Rule = rule, name: str = name, **params: Any) -> Any:
                    params.pop(name, None)
                    return rule(*args, **params)

                yield where + f"without {name}", attribute, replaced(without)


def mutants(op: Op) -> list[Mutant]:
    found: list[tuple[str, str, Any]] = []
    if isinstance(op, Elementwise):
        found = [*of_partials(op)]
    elif isinstance(op, Linear):
        found = [*of_rules(op, "transposes")]
        if op.arity != 1:
            found.append(("jointly, or not", "jointly", not op.jointly))
    elif isinstance(op, General):
        found = [*of_rules(op, "vjps"), *of_rules(op, "jvps")]
    return [
        Mutant(op.name, *mutant)
        for mutant in found
        if not any(
            name == op.name and fnmatchcase(mutant[0], pattern) for name, pattern in EQUIVALENT
        )
    ]


def tests_of(op: Op) -> Iterator[Callable[[], Any]]:
    """The tests of the table, called for this row."""
    import accuracy
    import test_table as table

    names = [name for name, function in table.FUNCTIONS.items() if function.ours is op]
    for test in (
        table.test_both_modes_and_both_orders_agree_with_numerical_differentiation,
        table.test_jvp_and_vjp_are_adjoint,
        table.test_complex_derivatives_agree_with_numerical_differentiation,
        table.test_tensor_says_what_an_array_of_values_says,
        table.test_float32_stays_float32_in_both_directions,
    ):
        for name in names:
            yield partial(test, name=name)
    if isinstance(op, Elementwise):
        yield partial(table.test_value_is_a_0d_tensor, op=op)
        if op.name in accuracy.REFERENCES:
            yield partial(accurate, op.name)


def accurate(name: str) -> None:
    import accuracy

    worst = accuracy.measure(name, accuracy.grid(accuracy.REFERENCES[name].domain, 5))
    assert all(w.units <= accuracy.bound(name, order) for order, w in enumerate(worst))


def out_of_time(*_: Any) -> None:
    raise TimeoutError(f"a mutant took {SECONDS} seconds")


def verdict(task: tuple[str, int]) -> tuple[str, int, str]:
    """By what the mutant is killed: "" if it survives."""
    name, index = task
    signal.signal(signal.SIGALRM, out_of_time)
    signal.alarm(SECONDS)
    op = TABLE[name]
    mutants(op)[index].apply()
    for test in tests_of(op):
        try:
            test()
        except pytest.skip.Exception:
            continue
        except BaseException as error:
            return name, index, type(error).__name__
    others = subprocess.run(
        [sys.executable, "-m", "tests.mutants", "--others", name, str(index)],
        cwd=HERE.parent,
        capture_output=True,
        text=True,
    )
    if others.returncode not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        raise RuntimeError(f"the other tests did not run on {name}:\n{others.stdout}")
    return name, index, "another test" if others.returncode else ""


def try_others(name: str, index: int) -> int:
    """All other tests of the operations, in a process that has not imported any of them."""

    class Mutation:
        def pytest_collection_finish(self) -> None:
            mutants(TABLE[name])[index].apply()

    return pytest.main(OTHER_TESTS, plugins=[Mutation()])


def run(names: list[str]) -> int:
    settings.register_profile(
        "mutants", settings.get_profile("repeatable"), phases=[Phase.explicit, Phase.generate]
    )
    settings.load_profile("mutants")
    import accuracy  # noqa: F401  before the processes part
    import test_table  # noqa: F401

    tasks = [(name, index) for name in names for index in range(len(mutants(TABLE[name])))]
    counts: Counter[str] = Counter()
    survivors = []
    with get_context("fork").Pool(maxtasksperchild=1) as pool:
        for name, index, killer in pool.imap_unordered(verdict, tasks, chunksize=1):
            counts["killed" if killer else "survived"] += 1
            if not killer:
                survivors.append(f"{name}: {mutants(TABLE[name])[index].what}")
                print("survived", survivors[-1], flush=True)
    killed, survived = counts["killed"], counts["survived"]
    print(f"{len(tasks)} mutants of {len(names)} rows: {killed} killed, {survived} survived")
    return bool(survivors)


if __name__ == "__main__":
    sys.path[:0] = [str(HERE), str(OPS)]
    if sys.argv[1:2] == ["--others"]:
        sys.exit(try_others(sys.argv[2], int(sys.argv[3])))
    import conftest  # noqa: F401  which says how Hypothesis draws

    sys.exit(run(sys.argv[1:] or [name for name in TABLE if mutants(TABLE[name])]))
