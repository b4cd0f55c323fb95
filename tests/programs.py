"""Random programs over the whole table, checked: `python -m tests.programs 1000` (some minutes).

Both modes to order 2 against numerical differentiation, and Tensors against arrays of Values.
"""

import sys
from typing import Any, NamedTuple

import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded

from autodiff import Tensor, Value, gradients, sum
from autodiff.core.graph import Node, ancestors
from autodiff.testing import check_grads, expressions
from autodiff.testing.operations import Program

# Errors on arrays of Values: reductions return a Value, most functions of several arrays a Tensor.
NO_ARRAY = (
    "'Value' object",
    "cannot mix a Tensor with an array of Values",
    "the result has dtype object",
    "an end of dtype object",
)


class Checked(NamedTuple):
    """How many programs, their operations, and the rows of them and of their derivatives."""

    programs: int
    operations: set[str]
    rows: set[str]

    def __str__(self) -> str:
        return (
            f"{self.programs} programs of {len(self.operations)} operations over "
            f"{len(self.rows)} rows hold in both modes, at both orders, and on arrays of Values"
        )


def check_programs(count: int, seed: int = 0) -> Checked:
    """Draw `count` programs, half of numbers and half of arrays, and check each."""
    programs = 0
    operations: set[str] = set()
    rows: set[str] = set()
    for tensors in (False, True):

        @seeded(seed)
        @settings(
            max_examples=count // 2,
            phases=[Phase.generate],
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(expressions(tensors=tensors))
        def check(program: Program) -> None:
            nonlocal programs
            programs += 1
            operations.update(line.operation.text for line in program.lines)
            rows.update(check_program(program))

        check()
    return Checked(programs, operations, rows)


def check_program(program: Program) -> set[str]:
    """Check a program; return the rows that it and its derivatives were recorded with."""
    check_grads(program, *program.point, order=2)
    tensors = [Tensor(x) for x in program.point]
    output = sum(program(*tensors))
    if not isinstance(output, Node):  # the program reads none of its arguments
        return set()
    slopes = gradients(output, tensors, record=True)
    nodes = [output, *(slope for slope in slopes if isinstance(slope, Node))]
    rows = {node.op.name for node in ancestors(*nodes) if node.op}
    values = [as_values(x) for x in program.point]
    scalars = [value for x in values for value in x.flat]
    try:
        by_values = sum(program(*[x if x.ndim else x.item() for x in values]))
    except (AttributeError, TypeError) as error:
        if not any(part in str(error) for part in NO_ARRAY):
            raise
        return rows
    np.testing.assert_allclose(by_values.data, output.data, rtol=1e-9, atol=1e-9)
    numbers = np.concatenate([np.ravel(slope.data) for slope in slopes])
    found = np.array([float(g) for g in gradients(by_values, scalars)])
    np.testing.assert_allclose(found, numbers, rtol=1e-6, atol=1e-6 * np.max(np.abs(numbers)))
    return rows


def as_values(x: Any) -> Any:
    """Return an array of Values, also for a single number."""
    values = np.empty(np.shape(x), object)
    for index, number in np.ndenumerate(x):
        values[index] = Value(number)
    return values


if __name__ == "__main__":
    print(check_programs(*map(int, sys.argv[1:] or ["1000"])))
