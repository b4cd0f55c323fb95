"""Programs: the calls of a run, which give the function's own results on other data."""

import subprocess
import sys
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from cases import CASES
from functions import FUNCTIONS, one_array
from hypothesis import given, settings
from hypothesis import strategies as st

import autodiff as ad
from autodiff import Tensor, grad, hessian, jacobian, jvp, program, value_and_grad
from autodiff.core import trees
from autodiff.ops.table import chain
from autodiff.programs.passes import PASSES
from autodiff.programs.source import HELPERS
from autodiff.programs.trace import Guard, Step, Trace
from autodiff.testing import expressions

few = settings(max_examples=max(2, settings().max_examples // 3))  # hundreds of functions
RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=4)
A = RANDOM.normal(size=(4, 4))


def like(found, expected, rtol=1e-13):
    """Check that two containers have the same structure and dtypes, and equal numbers."""
    assert trees.paths(found) == trees.paths(expected)
    for mine, theirs in zip(trees.leaves(found), trees.leaves(expected), strict=True):
        assert np.shape(mine) == np.shape(theirs)
        assert np.result_type(mine) == np.result_type(theirs)
        np.testing.assert_allclose(mine, theirs, rtol=rtol, atol=rtol)


def like_or_refused(made, f, args, rtol=1e-13):
    """Check a program on other data, which it may refuse since they decide otherwise."""
    try:
        found = made(*args)
    except ValueError as error:
        if "other branch" not in str(error):
            raise
    else:
        like(found, f(*args), rtol)


def holds(f, *args, others=()):
    """Check a program of `f` on its own arguments and on others; return it."""
    made = program(f, *args)
    for given_args in (args, *others):
        like(made(*given_args), f(*given_args))
    return made


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
@few
@given(st.data(), st.sampled_from([np.float64, np.float32]))
def test_gradients_of_every_function(name, draw, dtype):
    case = draw.draw(CASES[name])
    one, other = (case.arrays(np.random.default_rng(seed), dtype) for seed in (1, 2))
    ours = FUNCTIONS[name].ours

    def total(*arrays):
        result = one_array(case(ours, [*arrays]))
        return ad.sum(result * np.cos(np.arange(result.size)).astype(dtype))

    f = grad(total, argnums=tuple(range(len(one))))
    made = program(f, *one)
    slack = 100 * max(case.slack, 1) * np.finfo(dtype).eps
    like(made(*one), f(*one), slack)
    like_or_refused(made, f, other, slack)
    cost = made.cost()
    assert len(str(cost).splitlines()) == len(cost.steps) + 2
    assert cost.peak <= cost.written


@pytest.mark.parametrize("tensors", [False, True])
@settings(max_examples=4 * settings().max_examples)
@given(st.data())
def test_random_programs(tensors, draw):
    drawn = draw.draw(expressions(tensors=tensors))

    def total(*inputs):
        out = drawn(*inputs)
        return ad.sum(out) if tensors else out

    f = value_and_grad(total, argnums=tuple(range(len(drawn.point))))
    made = program(f, *drawn.point)
    for scale in (1.0, 1.001):
        point = [x * scale for x in drawn.point]
        like_or_refused(made, f, point, 1e-11)


def test_a_gradient_reads_as_written_by_hand():
    def f(x1, x2):
        return ad.log(x1) + x1 * x2 - ad.sin(x2)

    made = program(grad(f, argnums=(0, 1)), 2.0, 5.0)
    assert str(made) == "def f(x1, x2):\n    return x2 + 1 / x1, -np.cos(x2) + x1\n"
    assert made(2.0, 5.0) == (5.5, 2.0 - np.cos(5.0))
    assert all(type(x) is float for x in made(2.0, 5.0))
    assert repr(made) == "<program f: 5 calls of NumPy>"


def test_lines_and_names_are_the_users():
    def f(x):
        wave = np.sin(x)
        return np.sum(wave * wave)

    text = str(program(value_and_grad(f), X))
    assert "    # line " in text
    assert "wave = np.sin(x)\n    wave = np.sin(x)  # (4,)\n" in text


def loss(weights, x):
    h = np.maximum(x @ weights["w"] + weights["b"], 0)
    return np.mean(h**2)


TRANSFORMS = {
    "value and gradient": (value_and_grad(loss), {"w": A, "b": X}, RANDOM.normal(size=(6, 4))),
    "hessian": (hessian(lambda x: np.sum(np.sin(x) ** 2 * x[0])), X),
    "jacobian": (jacobian(lambda x: A @ np.tanh(x)), X),
    "jvp": (lambda x, t: jvp(lambda x: np.tanh(A @ x), (x,), (t,)), X, X[::-1].copy()),
    "gradient of a gradient": (grad(grad(lambda x: x**3 * ad.sin(x))), 2.0),
    "perturbations": (grad(lambda x: x * grad(lambda y: x**2 * y)(5.0)), 2.0),
    "checkpoint": (grad(lambda x: np.sum(ad.checkpoint(np.tanh)(x) * x)), X),
    "eigenvectors": (grad(lambda a: np.sum(np.linalg.eigh(a)[1][:, 0] ** 3)), A + A.T),
    "a float beside float32": (grad(lambda x, a: np.sum(x * a) * 2.5), X.astype("f4"), 2.0),
    "complex": (grad(lambda z: np.sum(ad.real(np.exp(z) * z))), X + 1j * A[0]),
    "no derivative": (lambda x: np.sort(x)[::-1] / np.linalg.norm(x), X),
    "a count": (lambda x, n: sum(x[k] for k in range(n)), X, 3),
}


@pytest.mark.parametrize("name", TRANSFORMS)
def test_transforms(name):
    f, *args = TRANSFORMS[name]
    holds(f, *args)


def test_code_in_place():
    def filled(x):
        y = ad.zeros_like(x)
        for i in range(1, 4):
            y[i] = y[i - 1] * 0.5 + x[i] ** 2
        return np.sum(y * x)

    holds(grad(filled), X, others=[(X + 1,)])

    def plain(x):
        y = x.copy()
        row = y[1:]
        row *= 2
        np.add.at(y, [0, 0], 1.0)
        y[y > 2] = 0
        np.copyto(y[:1], 7.0)
        y.sort()
        return y

    holds(plain, X, others=[(X[::-1].copy(),)])


def test_the_callers_array_is_changed_as_by_the_function():
    def f(x):
        x[0] = 5.0
        x += 1
        return np.sum(x)

    made = program(f, X)
    one, other = X.copy(), X.copy()
    assert made(one) == f(other)
    np.testing.assert_array_equal(one, other)


def test_memory_must_be_laid_out_alike_where_arrays_are_changed():
    def f(x, y):
        rows = x.reshape(-1)  # a view of a contiguous array, or else a copy
        rows *= 2
        return x + y

    made = program(f, A, A.copy())
    with pytest.raises(TypeError, match="not contiguous in the orders"):
        made(A.T.copy(order="F").T[::-1], A)
    with pytest.raises(TypeError, match="an array is not apart"):
        made(A, A)
    holds(lambda x: x.reshape(-1) * 2, A, others=[(A.T,), (A[::-1],)])


def test_results_are_the_callers_own():
    made = program(lambda x: (x, x, A, x[:2], 3, None), X)
    results = made(X)
    assert results[4:] == (3, None)
    for k, array in enumerate(results[:4]):
        array[...] = 0
        assert np.any(A)
        assert np.any(X)
        assert all(np.any(other) for other in results[k + 1 : 4])
    np.testing.assert_array_equal(made(X)[2], A)


def test_data_decide_once():
    def f(x):
        return x * 2 if x[0] > 0 else x * 3

    x = np.array([1.0, 2.0])
    made = holds(f, x, others=[(x + 1,)])
    assert any(isinstance(step, Guard) for step in made.steps)
    with pytest.raises(ValueError, match=r"traced for the other branch of: line .* x\[0\] > 0"):
        made(-x)


DECISIONS = {
    "a loop": (lambda x: _halved(x), 10 * X, X),
    "a mask": (lambda x: np.sum(x[x > 0]), X, -np.abs(X)),
    "max": (lambda x: max(x[0], x[1]), X[:2], X[1::-1].copy()),
    "allclose": (lambda x: x if np.allclose(x, X) else -x, X, X + 1),
    "a place as index": (lambda x: [1.0, 2.0, 3.0, 4.0][np.argmax(x)] * x, X, np.roll(X, 1)),
    "a bound": (lambda x: x * np.sum(x[: np.argmax(x)]), np.arange(4.0), np.arange(4.0)[::-1]),
    "a bound, differentiated": (
        grad(lambda x: np.sum(x[: np.argmax(x) + 1] ** 2)),
        np.arange(4.0),
        np.array([0.0, 3, 1, 2]),
    ),
    "repeats": (lambda x: np.repeat(x, np.argsort(x)), np.arange(4.0), np.array([0.0, 3, 1, 2])),
    "complex eigenvalues": (
        grad(lambda a: np.sum(np.abs(np.linalg.eigvals(a)) ** 2)),
        np.array([[1.0, 2.0], [3.0, 4.0]]),
        np.array([[0.0, -1.0], [1.0, 0.0]]),
    ),
    "the data of a Tensor": (
        grad(lambda x: np.sum(x) * [1.0, 2.0, 3.0, 4.0][np.argmax(x.data)]),
        X,
        np.roll(X, 1),
    ),
    "a rank": (lambda x: x * np.linalg.matrix_rank(x), A, np.ones((4, 4))),
    "a count": (lambda x, n: x * float(len(range(n))), (X, 3), (X, 2)),
}


def _halved(x):
    while np.sum(x * x) > 1:
        x = x / 2
    return x


@pytest.mark.parametrize("name", DECISIONS)
def test_what_data_decide_is_never_frozen(name):
    f, one, other = DECISIONS[name]
    one, other = (args if isinstance(args, tuple) else (args,) for args in (one, other))
    made = holds(f, *one)
    like_or_refused(made, f, other)


def test_an_index_of_data_is_not_frozen():
    x = np.array([1.0, 3.0, 2.0])
    holds(lambda x: x[np.argmax(x)] * x, x, others=[(x[::-1].copy(),), (-x,)])
    holds(grad(lambda x: np.sum(np.sort(x)[:2] ** 2)), x, others=[(-x,)])


def test_captured_arrays_are_read_and_constants_made_inside_are_kept():
    weights = np.arange(1.0, 41.0)
    made = program(grad(lambda x: np.sum(weights * x)), np.ones(40))
    weights[...] = 5
    np.testing.assert_array_equal(made(np.ones(40)), weights)

    def reuses(x):
        buffer = np.zeros(4)
        buffer[...] = 1
        first = x * buffer
        buffer[...] = 2
        return first + x * buffer

    holds(reuses, X, others=[(X + 1,)])


def test_containers_of_results_are_the_functions_own():
    @dataclass
    class Both:
        low: Any
        rest: Any

    holds(lambda x: {"a": [x * 2], "b": Both(x, (np.sin(x), None))}, X)
    made = holds(lambda a: np.linalg.eigh(a), A + A.T)
    assert type(made(A + A.T)) is type(np.linalg.eigh(A))


def test_names_of_the_user_hide_none_that_the_source_needs():
    def f(x):
        np_ = chain = np.sin(x)
        float = chain * x
        c = np.array([1.0, 2.0, 3.0, 4.0]) * float
        return grad(lambda y: np.sum(np.tanh(y) * np_ * c))(x)

    f.__name__ = "c"
    holds(f, X)
    text = str(program(lambda chain, np: chain["a"] * np, {"a": X}, X))
    assert text.startswith("def program(chain_, np_):\n    a = chain_['a']")


def test_the_product_written_out_is_the_one_of_the_chain_rule():
    _, text = HELPERS[chain.function]
    space = {"np": np}
    exec(text, space)
    special = np.array([0.0, -0.0, 1.0, -2.5, np.inf, -np.inf, np.nan])
    g, partial = np.meshgrid(special, special)
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(space["chain"](g, partial), chain.function(g, partial))
    assert "chain" in str(program(grad(lambda x: np.sum(np.sqrt(x) * x)), np.ones(2)))


@pytest.mark.parametrize(
    ("f", "message"),
    [
        (lambda x: float(x[0]) * x, "line .*: a traced array does not turn into a plain number"),
        (lambda x: x[0].item() * x, "does not turn into a plain number"),
        (lambda x: int(x[0]) * x, "does not turn into a plain number"),
        (lambda x: f"{x}", "does not turn into a plain number"),
        (lambda x: np.array([x[0], 1.0]), "does not turn into a plain number"),
        (lambda x: np.add(x, 1.0, out=np.zeros(4)), "add would write the numbers of a traced run"),
        (lambda x: np.copyto(np.zeros(4), x), "copyto would write"),
        (lambda x: np.add.at(np.zeros(4), [0], x[0]), "at would write"),
        (lambda x: (_ for _ in x), "returned: a generator"),
        (lambda x: Tensor(np.ones(2)) * 2, r"returned: a Tensor.*return x\.data"),
        (lambda x: np.ones(2) @ Tensor(np.ones(2)) + x[0], r"return x\.data"),
    ],
)
def test_what_cannot_be_traced_is_refused(f, message):
    with pytest.raises(TypeError, match=message):
        program(f, X)


def test_arguments_must_be_alike():
    made = program(lambda x, options: np.sum(x), X, {"a": 1.0, "b": "mean"})
    for args in [
        (X[:2], {"a": 1.0, "b": "mean"}),
        (X.astype(np.float32), {"a": 1.0, "b": "mean"}),
        (X, {"a": 1.0}),
        (X, {"c": 1.0, "b": "mean"}),
        (X, {"a": X, "b": "mean"}),
    ]:
        with pytest.raises(TypeError, match="with which the program was traced"):
            made(*args)
    with pytest.raises(TypeError, match="is a Tensor"):
        program(np.sum, Tensor(X))
    only = program(lambda x, mode: np.sum(x) if mode else x, X, True)
    with pytest.raises(TypeError, match="mode is not True, with which"):
        only(X, False)


def test_an_array_that_outlives_its_trace_is_refused():
    trace = Trace()
    kept = trace.argument(X)
    trace.open = False
    with pytest.raises(TypeError, match="after the trace had ended"):
        kept * 2


@pytest.mark.parametrize("size", [3, 30])
def test_a_saved_program_needs_only_numpy(tmp_path, size):
    weights = np.linspace(0.0, 1.0, size)

    def slope(x):
        return np.sum(np.tanh(x) * weights)

    made = program(grad(slope), np.ones(size))
    made.save(tmp_path / "gradient.py")
    code = (
        "import sys, numpy as np, gradient\n"
        "assert 'autodiff' not in sys.modules\n"
        f"print(repr(gradient.slope(np.ones({size})).tolist()))"
    )
    run = [sys.executable, "-c", code]
    printed = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    np.testing.assert_allclose(eval(printed), made(np.ones(size)), rtol=1e-15)
    assert (tmp_path / "gradient.npz").exists() == (size == 30)


def test_equal_calls_are_made_once():
    made = program(lambda x: np.sin(x) * np.sin(x) + np.cos(x) * 0, X)
    assert [step.function for step in made.steps if isinstance(step, Step)].count(np.sin) == 1


# Stages


def test_stages_lead_from_the_recording_to_the_program():
    made = program(value_and_grad(lambda x: np.sum(np.maximum(x @ A, 0) ** 2)), X)
    names = [name for name, _ in made.stages]
    assert names[0] == "recorded"
    assert names[1:] == [x.__name__ for x in PASSES if x.__name__ in names]
    texts = [str(stage.program) for stage in made.stages]
    assert texts[-1] == str(made)
    assert all(one != other for one, other in pairwise(texts))
    assert len(made.stages[0].program.steps) > len(made.steps)
    rows = [line.split() for line in str(made.stages).splitlines()]
    assert rows[1] == ["recorded", str(len(made.stages[0].program.steps))]
    assert rows[-1] == [
        names[-1],
        *(str(len(stage.program.steps)) for stage in made.stages[-2:]),
    ]


@settings(max_examples=2 * settings().max_examples)
@given(st.data())
def test_every_stage_can_be_printed_and_run(draw):
    drawn = draw.draw(expressions(tensors=True))
    f = value_and_grad(lambda *x: ad.sum(drawn(*x)), argnums=tuple(range(len(drawn.point))))
    for stage in program(f, *drawn.point).stages:
        assert str(stage).startswith(f"# {stage.name}\n")
        like(stage.program(*drawn.point), f(*drawn.point), 1e-11)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: ad.tensor(x) * 2,
        lambda x: ad.sum(ad.add(ad.trunc(x), np.sum(x))),  # with a sum of constants on the way
    ],
)
def test_stages_of_numbers_give_the_functions_own_types(f):
    slope = value_and_grad(f)
    for stage in program(slope, 0.5).stages:
        like(stage.program(1.5), slope(1.5))


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.sum(ad.interp(x, [-1.0, 0.0, 2.0, 3.0], x)),
        lambda x: np.sum(ad.interp([-0.5, 0.5], [-1.0, 0.0, 2.0, 3.0], x)),
        lambda x: np.sum(ad.piecewise(x, [x > 1, x < 0], [np.sin, np.square, 0.5])),
        lambda x: np.sum(ad.apply_along_axis(lambda row: row * row[0], 0, x)),
    ],
)
def test_traced_arrays_beside_plain_ones(f):
    for compiled in (f, grad(f)):
        like(program(compiled, X)(X), compiled(X))


def test_a_recording_has_no_stages_but_itself():
    recorded = program(np.sin, X).stages[0].program
    assert [stage.program for stage in recorded.stages] == [recorded]


def test_lines_are_the_users_inside_of_context_managers():
    text = str(program(grad(lambda x: np.sum(3 * x)), X).stages[0])
    assert "self.gen" not in text
