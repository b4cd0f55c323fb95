"""Every row and composite of the table, in every test.

Elementwise rows need a domain only, if they are not smooth on (-2, 2). The calls of all others are
in `tests/cases`, a file a family.
"""

import numpy as np
import pytest
from cases import CASES
from functions import ENGINE, FUNCTIONS, flat, one_array
from hypothesis import given, reject
from hypothesis import strategies as st
from programs import as_values

import autodiff
from autodiff import KinkError, Tensor, Value, check_grads, gradients
from autodiff.core import trees
from autodiff.core.graph import Node, Op
from autodiff.core.walks import pull, push
from autodiff.nodes.writing import view_behind
from autodiff.ops.registry import BY_FUNCTION, TABLE
from autodiff.ops.table import Elementwise

# NumPy returns float64 for any dtype
WIDENED = {"geomspace", "interp", "polyder", "polyfit", "polyint", "sort_complex", "vander"}

every = pytest.mark.parametrize("name", sorted(FUNCTIONS))


def try_with(name: str) -> st.SearchStrategy:
    if name in CASES:
        return CASES[name]
    return pytest.fail(f"tests/cases has no case of {name!r}")


def data(x):
    return x.data if isinstance(x, Tensor | Value) else x


draws = given(st.data(), st.integers(0, 2**32 - 1))


@every
@draws
def test_forward_is_numpys(name, draw, seed):
    case, function = draw.draw(try_with(name)), FUNCTIONS[name]
    dtype = draw.draw(st.sampled_from([np.float64, np.float32]))
    arrays = case.arrays(np.random.default_rng(seed), dtype)
    if draw.draw(st.booleans()):
        arrays = [np.stack([a, a], axis=-1)[..., 0] for a in arrays]  # not contiguous
    expected = flat(case(function.plain, arrays))
    ours = flat(case(function.ours, [Tensor(a) for a in arrays]))
    plain = flat(case(function.ours, arrays))
    for theirs, out, on_arrays in zip(expected, ours, plain, strict=True):
        theirs = np.asarray(theirs)
        assert isinstance(out, Tensor)
        assert out.dtype == theirs.dtype == np.asarray(on_arrays).dtype
        assert out.shape == theirs.shape == np.shape(on_arrays)
        slack = case.slack * np.finfo(theirs.dtype).eps
        np.testing.assert_allclose(out.data, theirs, rtol=slack, atol=slack)
        np.testing.assert_allclose(on_arrays, theirs, rtol=slack, atol=slack)


def agrees(name, case, f, *arrays):
    """Check first derivatives by each argument, and all derivatives by all arguments at once."""
    try:
        if len(arrays) > 1:
            check_grads(f, *arrays, directions=1)
        check_grads(lambda together: f(*together), arrays, order=case.order, directions=1)
    except KinkError:
        if name != "linalg.eig":  # LAPACK may return the values in another order
            raise
        reject()


@every
@draws
def test_both_modes_and_both_orders_agree_with_numerical_differentiation(name, draw, seed):
    case, function = draw.draw(try_with(name)), FUNCTIONS[name]

    def f(*arrays):
        return one_array(case(function.ours, arrays))

    agrees(name, case, f, *case.arrays(np.random.default_rng(seed)))


@every
@draws
def test_complex_derivatives_agree_with_numerical_differentiation(name, draw, seed):
    case, function = draw.draw(try_with(name)), FUNCTIONS[name]
    if not case.complex:
        return
    rng = np.random.default_rng(seed)

    def f(*pairs):
        return one_array(case(function.ours, [x + 1j * y for x, y in pairs]))

    agrees(name, case, f, *zip(case.arrays(rng), case.arrays(rng), strict=True))


def points(case, rng):
    """Yield real inputs for a case, and complex ones if it takes them."""
    real = case.arrays(rng)
    yield [Tensor(a) for a in real]
    if case.complex:
        yield [Tensor(a + 1j * b) for a, b in zip(real, case.arrays(rng), strict=True)]


def direction(rng, x):
    v = rng.standard_normal(x.shape)
    return v + 1j * rng.standard_normal(x.shape) if x.dtype.kind == "c" else v


def inner(a, b):
    """Return the real inner product."""
    return autodiff.real(np.sum(autodiff.conj(a) * b))


@every
@draws
def test_jvp_and_vjp_are_adjoint(name, draw, seed):
    case, function = draw.draw(try_with(name)), FUNCTIONS[name]
    rng = np.random.default_rng(seed)
    for inputs in points(case, rng):
        for out in flat(case(function.ours, inputs)):
            w = direction(rng, out)
            for x, pulled in zip(inputs, gradients(out, inputs, seed=w), strict=True):
                v = direction(rng, x)
                pushed = push({x: v}, [out])[out]
                assert pushed.shape == out.shape
                size = np.sum(abs(pulled * v)) + np.sum(abs(pushed * w))
                assert abs(inner(w, pushed) - inner(pulled, v)) <= 1e-13 * (1 + size)


@every
@draws
def test_second_derivatives_are_the_same_by_every_pair_of_modes(name, draw, seed):
    case, function = draw.draw(try_with(name)), FUNCTIONS[name]
    rng = np.random.default_rng(seed)
    several = len(case.shapes) > 1  # then one argument may be a constant
    constant = draw.draw(st.sampled_from([None, *range(len(case.shapes))])) if several else None
    for all_inputs in points(case, rng):
        inputs = [x for k, x in enumerate(all_inputs) if k != constant]
        mixed = [x.data if k == constant else x for k, x in enumerate(all_inputs)]
        out = one_array(case(function.ours, mixed))
        w, u, v = (
            direction(rng, out),
            {x: direction(rng, x) for x in inputs},
            {x: direction(rng, x) for x in inputs},
        )
        pushed, pulled = push(v, [out], record=True)[out], pull({out: w}, inputs, record=True)
        slopes = inner(w, pushed), sum(inner(pulled[x], v[x]) for x in inputs)
        plain = inner(w, push(v, [out])[out])
        np.testing.assert_allclose([*map(data, slopes)], plain, rtol=1e-9, atol=1e-9)
        found = []
        for slope in slopes:
            if not isinstance(slope, Node):  # the function is linear
                found += [0, 0]
                continue
            found.append(push(u, [slope])[slope])
            back = pull({slope: np.ones(())}, inputs)
            found.append(sum(inner(back[x], u[x]) for x in inputs))
        np.testing.assert_allclose(found, found[0], rtol=1e-9, atol=1e-9)


@every
@draws
def test_float32_stays_float32_in_both_directions_and_says_the_same(name, draw, seed):
    if name in ("astype", "float_power"):
        pytest.skip("changes the dtype on purpose")
    case, function = draw.draw(try_with(name)), FUNCTIONS[name]
    numbers = case.arrays(np.random.default_rng(seed), np.float32)
    inputs, wide = ([Tensor(a.astype(d)) for a in numbers] for d in (np.float32, np.float64))
    for out, exact in zip(*(flat(case(function.ours, x)) for x in (inputs, wide)), strict=True):
        small = {np.dtype(np.float32), np.dtype(np.complex64)}
        assert out.dtype in small or name in WIDENED
        slopes = gradients(out, inputs, seed=np.ones(out.shape, out.dtype))
        assert {s.dtype for s in slopes} == {np.dtype(np.float32)}
        last = {inputs[-1]: np.ones_like(inputs[-1].data)}
        tangent = push(last, [out])[out]
        assert np.asarray(tangent).dtype in small or name in WIDENED
        if out.shape != exact.shape:  # the length of polydiv's remainder depends on rounding
            continue
        expected = gradients(exact, wide, seed=np.ones(exact.shape, exact.dtype))
        pushed = push({wide[-1]: np.ones(wide[-1].shape)}, [exact])[exact]
        for found, true in zip([*slopes, tangent], [*expected, pushed], strict=True):
            size = np.max(np.abs(true), initial=1)
            np.testing.assert_allclose(found, true, rtol=1e-3, atol=1e-3 * size)


@every
@draws
def test_tensor_says_what_an_array_of_values_says(name, draw, seed):
    if name in ("astype", "tensor"):
        pytest.skip("an array of Values has no other dtype")
    case, function = draw.draw(try_with(name)), FUNCTIONS[name]
    rng = np.random.default_rng(seed)
    arrays = case.arrays(rng)
    tensors, values = [Tensor(a) for a in arrays], [as_values(a) for a in arrays]
    ours, theirs = flat(case(function.ours, tensors)), list(_parts(case(function.ours, values)))
    for out, objects in zip(ours, theirs, strict=True):
        if not out.size:
            continue
        if isinstance(objects, Tensor):  # NumPy cannot run this on objects: they were joined
            expected = objects.data
        else:
            expected = np.vectorize(data, otypes=[out.dtype])(objects)
        np.testing.assert_allclose(np.ravel(out.data), np.ravel(expected), rtol=1e-12, atol=1e-13)
        w = rng.standard_normal(out.shape)
        total = autodiff.real(np.sum(w * objects))
        leaves = [v for a in values for v in np.ravel(a)]
        found = gradients(total, leaves) if isinstance(total, Node) else np.zeros(len(leaves))
        slopes = np.concatenate([np.ravel(slope) for slope in gradients(out, tensors, seed=w)])
        np.testing.assert_allclose(slopes, found, rtol=1e-10, atol=1e-12)


def _parts(result):
    return result if isinstance(result, tuple | list) else [result]


@pytest.mark.parametrize(
    "op", [op for op in TABLE.values() if isinstance(op, Elementwise)], ids=repr
)
@draws
def test_value_is_a_0d_tensor(op, draw, seed):
    case = draw.draw(try_with(op.name)) if op.name not in ENGINE else None
    if case is None:
        return
    case = type(case)([()] * op.arity, domain=case.domain)
    numbers = [float(a) for a in case.arrays(np.random.default_rng(seed))]
    values, tensors = [Value(n) for n in numbers], [Tensor(n) for n in numbers]
    scalar, array = op(*values), op(*tensors)
    assert isinstance(scalar, Value)
    np.testing.assert_allclose(scalar.data, array.data, rtol=1e-15)
    np.testing.assert_allclose(op(*numbers), scalar.data, rtol=0)
    scalar.backward(0.7)
    array.backward(0.7)
    for value, tensor in zip(values, tensors, strict=True):
        np.testing.assert_allclose(value.grad, tensor.grad, rtol=1e-14)


def test_every_row_is_found_by_its_numpy_function_and_public():
    for name, op in TABLE.items():
        if name in ENGINE:
            continue
        assert op in BY_FUNCTION.values()
        assert op.__doc__
    for name, function in FUNCTIONS.items():
        if name == "trace":
            continue  # `autodiff.trace` is another function; linalg.trace is this one
        place = autodiff
        for part in name.split("."):
            place = getattr(place, part)
        assert place is function.ours, name
        assert isinstance(function.ours, Op) or function.ours.__doc__


def recorded(function, calls):
    """Return the function, recording its arguments and its result in a list."""

    def call(*args, **params):
        out = function(*args, **params)
        calls.append((args, params, out))
        return out

    return call


def root_of(x):
    """Return the Tensor whose memory a Tensor shares."""
    view = view_behind(x)
    return x if view is None else view.root


def kinds_of_results(call):
    """Return for each floating result whether it is a scalar, a view, contiguous."""
    args, params, out = call
    given = [x for x in trees.leaves((args, params)) if isinstance(x, Tensor | np.ndarray)]
    for part in flat(out):
        if not part.size:
            continue  # shares no memory
        if isinstance(part, Tensor):
            roots = {id(root_of(x)) for x in given if isinstance(x, Tensor)}
            in_line = root_of(part.reshape(-1)) is root_of(part)
            yield part.immutable, id(root_of(part)) in roots, in_line or part.immutable
        else:
            number = isinstance(part, np.generic)
            in_line = np.shares_memory(part.reshape(-1), part)
            yield number, any(np.shares_memory(part, x) for x in given), in_line or number


@every
@given(st.data())
def test_results_are_views_and_numbers_where_numpys_are(name, draw):
    function, case = FUNCTIONS[name], draw.draw(try_with(name))
    arrays = case.arrays(np.random.default_rng(0))
    row = isinstance(function.ours, Op)  # results of composites may have another memory layout
    if row and draw.draw(st.booleans()):
        arrays = [np.array(a, order="F") for a in arrays]
    plain, ours = [], []
    case(recorded(function.plain, plain), [*arrays])
    case(recorded(function.ours, ours), [Tensor(a) for a in arrays])
    told = 3 if row else 2
    for theirs, mine in zip(plain, ours, strict=True):
        for one, other in zip(kinds_of_results(mine), kinds_of_results(theirs), strict=True):
            assert one[:told] == other[:told]
