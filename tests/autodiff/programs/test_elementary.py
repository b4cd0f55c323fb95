"""Elementary functions of the llvm back end: accuracy, special values, flags and SIMD code."""

import ctypes
import re
from functools import cache

import elementary_tables
import mpmath as mp
import numpy as np
import pytest
from accuracy import MAX, REFERENCES, points, units
from hypothesis import given, settings
from hypothesis import strategies as st

llvm = pytest.importorskip("llvmlite.binding")

from autodiff.programs.backends.llvm import elementary  # noqa: E402  needs llvmlite
from autodiff.programs.backends.llvm.elementary import FUNCTIONS, LARGEST_ANGLE  # noqa: E402

BOUNDS = {"exp": 1.0, "exp2": 1.1, "expm1": 1.1, "sinh": 1.3, "cosh": 1.3, "tanh": 1.2, "tan": 1.5}
"""Largest errors, in ulp; 0.95 for other functions."""
PERIODIC = {"sin", "cos", "tan"}
NAMES = sorted(FUNCTIONS)
every = pytest.mark.parametrize("name", NAMES)

llvm.initialize_native_target()
llvm.initialize_native_asmprinter()

LOOP = """
define void @loop(ptr noalias %from, ptr noalias %to, i64 %count) {{
entry:
  br label %head
head:
  %i = phi i64 [0, %entry], [%next, %head]
  %source = getelementptr {kind}, ptr %from, i64 %i
  %x = load {kind}, ptr %source, align 4
  {body}
  %target = getelementptr {kind}, ptr %to, i64 %i
  store {kind} {result}, ptr %target, align 4
  %next = add i64 %i, 1
  %done = icmp eq i64 %next, %count
  br i1 %done, label %after, label %head
after:
  ret void
}}
"""


@cache
def optimized(name, kind="double"):
    """Return a module with a loop over numbers or vectors, and its code generator."""
    lines = []

    def write(instruction):
        lines.append(f"%v{len(lines)} = {instruction}")
        return f"%v{len(lines) - 1}"

    result = FUNCTIONS[name](write, kind, "%x")
    text = LOOP.format(kind=kind, body="\n  ".join(lines), result=result)
    machine = llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten()
    )
    module = llvm.parse_assembly(text)
    module.verify()
    options = llvm.create_pipeline_tuning_options(speed_level=2)
    options.loop_vectorization = True
    passes = llvm.create_pass_builder(machine, options)
    passes.getModulePassManager().run(module, passes)
    return module, machine


@cache
def compiled(name, kind="double"):
    """Return a function as one of arrays, whose length is a multiple of the lanes of `kind`."""
    module, machine = optimized(name, kind)
    engine = llvm.create_mcjit_compiler(module, machine)
    engine.finalize_object()
    address = engine.get_function_address("loop")
    pointer = ctypes.c_void_p
    loop = ctypes.CFUNCTYPE(None, pointer, pointer, ctypes.c_int64)(address)
    dtype = np.float32 if "float" in kind else np.float64
    lanes = int(kind[1:].split()[0]) if kind.startswith("<") else 1

    def function(x):
        x = np.ascontiguousarray(x, dtype)
        out = np.empty_like(x)
        loop(x.ctypes.data, out.ctypes.data, x.size // lanes)
        return out

    function.engine = engine  # owns the code
    return function


def covered(name, x):
    return abs(x) <= LARGEST_ANGLE if name in PERIODIC else np.full(np.shape(x), True)


def inputs(name):
    """Return numbers of all sizes in the domain, more of them where a reduction may go wrong."""
    (domain,) = REFERENCES[name].domain
    steps = np.arange(1.0, 60)
    special = np.concatenate(
        [
            steps * (np.pi / 4),
            np.round(np.geomspace(1, 2 * LARGEST_ANGLE / np.pi, 100)) * (np.pi / 2),
            steps * (np.log(2) / 2),
            steps / 16,
            2.0 ** np.arange(-1074, 1024, 16),
            10.0 ** np.arange(-20, 20),
            np.random.default_rng(1).uniform(600, 750, 50),  # the ends of exp and its relatives
            np.random.default_rng(2).uniform(1000, 1075, 30),  # those of exp2
            np.random.default_rng(3).uniform(18, 19.5, 60),  # e^x + e^(−x) does not fit a number
            np.random.default_rng(4).uniform(0.1, 3, 400),
        ]
    )
    every = np.concatenate([points(domain, 20), special, -special])
    return every[[x in domain and bool(covered(name, x)) for x in every.tolist()]]


def excess(name, x, found):
    """Return the error in terms of its bound."""
    with mp.workdps(60):
        error = units(found, mp.mpf(REFERENCES[name].value(mp.mpf(x))))
    return error / BOUNDS.get(name, 0.95)


@every
def test_errors_are_small(name):
    x = inputs(name)
    pairs = zip(x.tolist(), compiled(name)(x).tolist(), strict=True)
    errors = [excess(name, *pair) for pair in pairs]
    worst = int(np.argmax(errors))
    assert errors[worst] <= 1, x[worst]


@pytest.mark.parametrize("name", ["exp", "exp2"])
def test_subnormal_results_are_rounded_once(name):
    x = np.random.default_rng(0).uniform(-1074, -1022, 200) * (np.log(2) if name == "exp" else 1)
    with mp.workdps(60):
        exact = [REFERENCES[name].value(mp.mpf(number)) for number in x.tolist()]
        distance = [abs(a - b) for a, b in zip(compiled(name)(x).tolist(), exact, strict=True)]
    assert max(distance) <= 0.51 * np.finfo(float).smallest_subnormal


def test_powers_of_the_base_are_exact():
    powers = 2.0 ** np.arange(-1074, 1024)
    np.testing.assert_array_equal(compiled("log2")(powers), np.arange(-1074, 1024))
    np.testing.assert_array_equal(compiled("exp2")(np.arange(-1074, 1024)), powers)
    np.testing.assert_array_equal(compiled("log10")(10.0 ** np.arange(23)), np.arange(23))


@every
@settings(max_examples=100)
@given(x=st.floats(allow_nan=False, allow_infinity=False))
def test_errors_are_small_anywhere(name, x):
    (domain,) = REFERENCES[name].domain
    if x in domain and covered(name, x):
        assert excess(name, x, float(compiled(name)([x])[0])) <= 1


SPECIAL = np.array([0, 5e-324, 1e-310, 1e-300, 1e-17, 1, np.inf, np.nan])
SPECIAL = np.concatenate([SPECIAL, -SPECIAL, [-2, -1100, 1100, -MAX, MAX]])


@every
def test_special_values_are_numpys(name):
    x = SPECIAL[covered(name, SPECIAL) | ~np.isfinite(SPECIAL)]
    with np.errstate(all="ignore"):
        expected = getattr(np, name)(x)
    found = compiled(name)(x)
    np.testing.assert_array_max_ulp(found, expected, 2)
    numbers = ~np.isnan(expected)
    np.testing.assert_array_equal(np.signbit(found)[numbers], np.signbit(expected)[numbers])
    exact = ~np.isfinite(x) | (x == 0)
    np.testing.assert_array_equal(found[exact], expected[exact])


def flags(name, x, count):
    """Return the flags that a function raises, as NumPy reads them after a call of ours."""
    raised = []
    function, given_x = compiled(name), np.full(count, x)
    call = np.frompyfunc(lambda _: function(given_x), 1, 1)
    with np.errstate(all="call", call=lambda kind, _: raised.append(kind)):
        call(0)
    return {*raised} - {"underflow"}


RAISED = {
    **{(name, 0.0): "divide by zero" for name in ("log", "log2", "log10")},
    **{(name, -0.0): "divide by zero" for name in ("log", "log2", "log10")},
    **{(name, x): "invalid value" for name in ("log", "log2", "log10") for x in (-1, -np.inf)},
    **{("log1p", x): "invalid value" for x in (-2, -MAX, -np.inf)},
    ("log1p", -1): "divide by zero",
    **{(name, x): "overflow" for name in ("exp", "exp2", "expm1") for x in (1100, MAX)},
    **{(name, x): "overflow" for name in ("sinh", "cosh") for x in (1100, -1100, MAX, -MAX)},
    **{(name, x): "invalid value" for name in PERIODIC for x in (np.inf, -np.inf, MAX, -MAX, 2e6)},
}
"""Where functions raise flags."""


@every
@pytest.mark.parametrize("count", [1, 64])  # numbers and vectors
def test_flags_are_raised_where_numpy_warns(name, count):
    own = [x for function, x in RAISED if function == name]
    (domain,) = REFERENCES[name].domain
    silent = [0.0, -0.0, np.inf, -np.inf, np.nan, -np.nan, 1e-310, 0.3, 1, 2, -0.7, -3, 300, -300]
    for x in own:
        assert flags(name, x, count) == {RAISED[name, x]}, x
    for x in silent:
        if (name, x) not in RAISED and (x in domain or not -np.inf < x < 0):
            assert not flags(name, x, count), x


@every
def test_no_other_lane_raises_a_flag(name):
    x = inputs(name)
    with np.errstate(all="ignore"):
        x = x[np.isfinite(getattr(np, name)(x))]
    assert not flags(name, x, x.size)


@every
@pytest.mark.parametrize("kind", ["<8 x double>"])
def test_vectors_are_computed_as_numbers_are(name, kind):
    x = inputs(name)
    x = x[: x.size // 8 * 8]
    np.testing.assert_array_max_ulp(compiled(name, kind)(x), compiled(name)(x), 1)


@every
@pytest.mark.parametrize("kind", ["float"])
def test_single_precision_is_rounded_from_double(name, kind):
    x = np.linspace(-4, 100, 400, dtype=np.float32)
    with np.errstate(all="ignore"):
        expected = getattr(np, name)(x.astype(float)).astype(np.float32)
    found = compiled(name, kind)(x)
    assert found.dtype == np.float32
    np.testing.assert_array_max_ulp(found, expected, 1)


@every
def test_loops_become_simd_code(name):
    module, _ = optimized(name)
    assert re.search(r"fmul contract <\d+ x double>", str(module))
    assert not re.search(r"call .*@(?!llvm\.)", str(module))


def test_tables_are_made_from_the_functions():
    for name, numbers in elementary_tables.tables().items():
        assert getattr(elementary, name) == numbers, name
