"""Compiled functions: they answer what the function itself would answer now, or raise.

Most tests keep two worlds with the same code and state. In one of them the function is compiled.
The same things happen in both, and results and state must stay equal.
"""

import copy
import pickle
import threading
import warnings
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import autodiff as ad
from autodiff import Tensor, Value, grad, hessian, jit, jvp, value_and_grad
from autodiff.core import trees
from autodiff.programs import backends
from autodiff.programs.jit import Jitted
from autodiff.testing import expressions

X = np.array([0.5, -1.25, 2.0])
A = np.arange(9.0).reshape(3, 3) / 7


def like(found, expected, rtol=1e-13):
    """Check that two results have the same structure, types and dtypes, and equal numbers."""
    assert trees.paths(found) == trees.paths(expected)
    for mine, theirs in zip(trees.leaves(found), trees.leaves(expected), strict=True):
        assert type(mine) is type(theirs)
        assert np.result_type(mine) == np.result_type(theirs)
        np.testing.assert_allclose(mine, theirs, rtol=rtol, atol=rtol)


class Worlds:
    """Two modules with the same code; in the second its `f` is compiled."""

    def __init__(self, code):
        self.plain, self.compiled = (ModuleType(name) for name in ("plain", "compiled"))
        for world in (self.plain, self.compiled):
            world.np, world.ad = np, ad
            exec(compile(code, "<world>", "exec"), vars(world))
        self.compiled.f = jit(self.compiled.f)

    @property
    def programs(self):
        return len(self.compiled.f._programs)

    def run(self, code):
        for world in (self.plain, self.compiled):
            exec(code, vars(world))

    def call(self, *args):
        theirs, mine = copy.deepcopy(args), copy.deepcopy(args)
        expected = self.plain.f(*theirs)
        like(self.compiled.f(*mine), expected)
        like(mine, theirs)

    def same_state(self, *names):
        for name in names:
            like(eval(name, vars(self.compiled)), eval(name, vars(self.plain)))


CAPTURED = {
    "a number": ("lr = 0.5\ndef f(x): return x * lr", ["lr = 0.25", "lr = 3", "lr = 0.5"]),
    "a negative zero": ("c = 0.0\ndef f(x): return np.copysign(x, c)", ["c = -0.0", "c = 1.0"]),
    "a flag": ("flag = True\ndef f(x): return x * 2 if flag else x", ["flag = False"]),
    "a string": ("mode = 'a'\ndef f(x): return x * 2 if mode == 'a' else x", ["mode = 'b'"]),
    "an array in place": ("w = np.ones(3)\ndef f(x): return x * w", ["w[0] = 5", "w *= 2"]),
    "an array rebound": (
        "w = np.ones(3)\ndef f(x): return x * w",
        ["w = np.zeros(3)", "w = np.float32(w) + 1", "w = np.ones((2, 3))", "w = 2.0"],
    ),
    "an array computed with": (
        "w = np.ones(3)\ndef f(x):\n v = (w - w.mean()) @ w\n return x * v if w[0] > 0 else x",
        ["w[1] = 4", "w[0] = -1", "w = w * 2"],
    ),
    "a view": ("b = np.ones(6)\nw = b[::2]\ndef f(x): return x * w", ["b[2] = 7"]),
    "a helper": (
        "def g(x): return x * 2\ndef f(x): return g(x) + 1",
        ["def g(x): return x * 3", "g = np.sin", "g = lambda x: -x"],
    ),
    "what a helper reads": ("k = 2.0\ndef g(x): return x * k\ndef f(x): return g(x)", ["k = 4.0"]),
    "a helper's code": (
        "def g(x): return x * 2\ndef h(x): return x * 5\ndef f(x): return g(x)",
        ["g.__code__ = h.__code__"],
    ),
    "a closure": (
        "def make():\n k, w = 2.0, np.ones(3)\n def set(new):\n  nonlocal k\n  k = new\n"
        "  w[0] = new\n def f(x): return x * k * w\n return f, set\nf, set_ = make()",
        ["set_(5.0)", "set_(-1.0)"],
    ),
    "defaults": (
        "def g(x, k=2.0, *, m=3.0): return x * k * m\ndef f(x): return g(x)",
        ["g.__defaults__ = (7.0,)", "g.__kwdefaults__ = {'m': 1.0}"],
    ),
    "an attribute": (
        "class C: pass\nc = C()\nc.w, c.k = np.ones(3), 2.0\ndef f(x): return x * c.w * c.k",
        ["c.w = c.w * 2", "c.k = 5.0", "c.w[1] = 9", "c = C()\nc.w, c.k = np.ones(3), 1.0"],
    ),
    "an attribute of a class": (
        "class B:\n k = 2.0\nclass C(B): pass\nc = C()\ndef f(x): return x * c.k * C.k",
        ["B.k = 3.0", "C.k = 4.0", "c.k = 5.0"],
    ),
    "a method": (
        "class C:\n def g(self, x): return x * 2\nc = C()\ndef f(x): return c.g(x)",
        ["C.g = lambda self, x: x * 3", "c.g = lambda x: -x"],
    ),
    "an array that a method reads": (
        "w = np.ones(3)\nclass C:\n def g(self, x): return x * w\nc = C()\ndef f(x): return c.g(x)",
        ["w[0] = 3", "w = np.zeros(3)"],
    ),
    "a property": (
        "k = 2.0\nclass C:\n @property\n def k(self): return self.half * k\nc = C()\nc.half = 1.0\n"
        "def f(x): return x * c.k",
        ["k = 3.0", "c.half = 0.5"],
    ),
    "slots": (
        "class C:\n __slots__ = ('k', 'w')\nc = C()\nc.k, c.w = 2.0, np.ones(3)\n"
        "def f(x): return x * c.k * c.w",
        ["c.k = 3.0", "c.w[0] = 2"],
    ),
    "an entry": (
        "d = {'k': 2.0, 'w': [np.ones(3), 1.0]}\ndef f(x): return x * d['k'] * d['w'][0]",
        ["d['k'] = 3.0", "d['w'][0] = np.zeros(3)", "d['w'][0][1] = 2", "d['more'] = 1.0"],
    ),
    "a list": (
        "ws = [1.0, 2.0]\ndef f(x):\n for w in ws: x = x * w\n return x",
        ["ws = (2.0, 2.0)", "ws = [1.0, 2.0]", "ws.append(3.0)", "ws[0] = 5.0", "ws.clear()"],
    ),
    "a set": ("s = {1, 2}\ndef f(x): return x * len(s)", ["s.add(5)", "s.add(1)"]),
    "a module": (
        "import types\nm = types.ModuleType('m')\nm.k, m.w = 2.0, np.ones(3)\n"
        "def f(x): return x * m.k * m.w",
        ["m.k = 3.0", "m.w[0] = 2", "m.w = np.zeros(3)"],
    ),
    "a partial": (
        "import functools\ndef g(k, x): return x * k\nh = functools.partial(g, 2.0)\n"
        "def f(x): return h(x)",
        ["h = functools.partial(g, 3.0)"],
    ),
    "a name hidden from builtins": (
        "def f(x): return sum([x, x])",
        ["def sum(parts): return parts[0] * 10", "del sum"],
    ),
    "an array in a dict of an object of a list": (
        "class C: pass\nc = C()\nc.d = {'w': np.ones(3)}\ncs = [c]\n"
        "def f(x): return sum(c.d['w'] * x for c in cs)",
        ["c.d['w'] *= 2", "cs.append(c)", "c.d['w'] = np.zeros(3)"],
    ),
    "a number that varies": ("k = 0\ndef f(x): return x * k", [f"k = {k}" for k in range(1, 9)]),
    "functions in a dict": (
        "fs = {'a': np.sin, 'b': lambda x: x * 2}\ndef f(x): return fs['a'](x) + fs['b'](x)",
        ["fs['a'] = np.cos", "fs['b'] = lambda x: x * 3"],
    ),
    "the gradient of a captured function": (
        "k = 2.0\ndef g(x): return np.sum(x ** 2) * k\nslope = ad.grad(g)\n"
        "def f(x): return slope(x)",
        ["k = 3.0", "slope = ad.grad(lambda x: np.sum(x))"],
    ),
    "a custom rule": (
        "k = 2.0\n@ad.custom_rule(vjp=lambda g, out, x: g * k)\ndef g(x): return x * 2\n"
        "def f(x): return ad.grad(lambda x: np.sum(g(x)))(x)",
        ["k = 3.0"],
    ),
}


@pytest.mark.parametrize("name", CAPTURED)
def test_what_is_captured_is_never_stale(name):
    code, changes = CAPTURED[name]
    worlds = Worlds(code)
    worlds.call(X)
    worlds.call(X + 1)
    for change in [*changes, *changes]:
        worlds.run(change)
        worlds.call(X)
        worlds.call(-X)


def test_numbers_that_change_become_inputs():
    worlds = Worlds("k, w = 0.0, np.ones(3)\ndef f(x): return x * k + w")
    for k in range(20):
        worlds.run(f"k = {k / 2}\nw = w + k")
        worlds.call(X)
    assert worlds.programs == 2


EFFECTS = {
    "an argument": ("def f(x):\n x *= 2\n x[0] = x[1]\n return x.sum()", "()"),
    "a captured array": ("w = np.ones(3)\ndef f(x):\n w[...] = w + x\n return w.sum()", "w"),
    "a global": ("n = 0\ndef f(x):\n global n\n n += 1\n return x * n", "n"),
    "a closure": (
        "def make():\n n = 0\n def f(x):\n  nonlocal n\n  n = n + x.sum()\n  return n\n"
        " return f, lambda: n\nf, seen = make()",
        "seen()",
    ),
    "an attribute": (
        "class C:\n def __init__(self): self.w, self.n = np.ones(3), 0\nc = C()\n"
        "def f(x):\n c.w = c.w * x\n c.n += 1\n c.last = x[0] * 2\n return c.w",
        "c.w, c.n, c.last",
    ),
    "a method's buffer": (
        "class C:\n def __init__(self): self.w, self.t = np.ones(3), 0\n"
        " def step(self, x):\n  self.t += 1\n  self.w -= x / self.t\n  return self.w.sum()\n"
        "c = C()\ndef f(x): return c.step(x)",
        "c.w, c.t",
    ),
    "a list": ("seen = []\ndef f(x):\n seen.append(x.sum())\n return x", "seen"),
    "a list that is read": (
        "seen = [1.0]\ndef f(x):\n seen.append(seen[-1] * 2)\n return x * len(seen)",
        "seen",
    ),
    "a dict": (
        "d = {'n': 0, 'old': 1.0}\ndef f(x):\n d['n'] += 1\n d['last'] = x * 2\n"
        " d.pop('old', None)\n return x",
        "d",
    ),
    "a momentum": (
        "v, w = {}, {'a': np.ones(3)}\n"
        "def f(x):\n for k in w:\n  v[k] = 0.9 * v.get(k, 0.0) - x\n  w[k] += v[k]\n return x",
        "v, w",
    ),
    "the same array twice": (
        "w = np.ones(3)\nowner, other = {'w': w}, [w]\n"
        "def f(x):\n owner['w'] += x\n return other[0] * 2",
        "w, owner, other",
    ),
}


@pytest.mark.parametrize("name", EFFECTS)
def test_effects_happen_at_each_call(name):
    code, names = EFFECTS[name]
    worlds = Worlds(code)
    for k in range(6):
        worlds.call(X + k)
        worlds.same_state(names)
    assert worlds.programs <= 6


def test_a_returned_argument_is_the_argument():
    def f(params, x):
        params["w"] = params["w"] - x
        return params

    compiled = jit(f)
    for _ in range(3):
        params = {"w": X.copy()}
        assert compiled(params, X) is params
        np.testing.assert_array_equal(params["w"], X - X)


@pytest.mark.filterwarnings("ignore:jit.*its arguments share memory")
def test_arguments_that_share_memory_are_told_apart():
    def f(x, y):
        x[0] = 10 * y[0]
        return y * 2

    compiled = jit(f)
    for _ in range(2):
        for one, other in [(X.copy(), X.copy()), (x := X.copy(), x), (x := X.copy(), x[:])]:
            theirs = copy.deepcopy((one, other)) if one is other else (one.copy(), other.copy())
            if one is not other and np.shares_memory(one, other):
                theirs = (theirs[0], theirs[0][:])
            like(compiled(one, other), f(*theirs))
            like((one, other), theirs)


# Decisions


def newton(x):
    steps = 0
    while abs(x * x - 2) > 1e-12 and steps < 50:
        x, steps = x - (x * x - 2) / (2 * x), steps + 1
    return x


BRANCHES = {
    "an element": (lambda x: x * 2 if x[0] > 0 else -x, X),
    "two in a row": (lambda x: (x if x[0] > 0 else -x) * (2 if x[1] > 0 else 3), X),
    "max": (lambda x: max(x[0], x[1]) * x, X),
    "a mask": (lambda x: np.sum(x[x > 0] ** 2), X),
    "a place": (lambda x: [1.0, 2.0, 3.0][np.argmax(x)] * x, X),
    "an index": (lambda x: x[np.argmax(x)] * x, X),
    "nonzero": (lambda x: x[np.nonzero(x > 0)].sum(), X),
    "unique": (lambda x: np.unique(np.round(x)).sum(), X),
    "a loop": (lambda x: newton(abs(x[0]) + 1), X),
    "assert": (lambda x: _positive(x), np.abs(X)),
}


def _positive(x):
    if not (x > 0).all():
        raise ValueError("not positive")
    return np.sqrt(x)


@pytest.mark.parametrize("name", BRANCHES)
@pytest.mark.parametrize("transform", ["plain", "gradient"])
def test_branches_on_data(name, transform):
    f, start = BRANCHES[name]
    if transform == "gradient":
        f = grad(lambda x, f=f: ad.sum(f(x)))
    compiled = jit(f)
    random = np.random.default_rng(0)
    for k in range(12):
        x = start + (k > 0) * random.normal(size=3)
        try:
            expected = f(x)
        except ValueError as error:
            with pytest.raises(ValueError, match=str(error)):
                compiled(x)
        else:
            like(compiled(x), expected)


def test_a_loop_converges_with_few_programs():
    compiled = jit(grad(newton))
    for x in np.linspace(1.0, 5.0, 40):
        like(compiled(float(x)), grad(newton)(float(x)))
    assert len(compiled._programs) <= 5


def test_too_many_programs_end_in_eager_runs_and_one_warning():
    def f(x):
        n = 0
        while n < x:
            n += 1
        return x * n

    compiled = jit(f, limit=3)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for x in range(1, 9):
            assert compiled(float(x)) == f(float(x))
    assert len(caught) == 1
    assert "3 programs already" in str(caught[0].message)
    assert "test_jit.py" in str(caught[0].message)
    assert caught[0].filename == __file__


def test_argument_kinds_share_programs():
    compiled = jit(lambda x, n: x * n)
    for n in (2, 3, -4):
        like(compiled(X, n), X * n)
    for n in (2.5, 3.5):
        like(compiled(X, n), X * n)
    assert len(compiled._programs) == 2
    like(compiled(np.ones((2, 2)), 2), 2 * np.ones((2, 2)))
    like(compiled(X.astype("f4"), 2.5), X.astype("f4") * 2.5)
    like(compiled(x=X, n=3), X * 3)
    static = jit(lambda x, n: [x * k for k in range(n)], static="n")
    for n in (2, 3, 2):
        like(static(X, n), [X * k for k in range(n)])
    assert len(static._programs) == 2
    for mode in ("sum", "mean", "sum", None):
        f = lambda x, mode: np.sum(x) if mode == "sum" else np.mean(x)  # noqa: E731
        like(jit(f)(X, mode), f(X, mode))


# What surrounds it


def loss(w, x):
    return np.sum(np.tanh(x @ w["a"] + w["b"]) ** 2)


def test_transforms_of_and_in_compiled_functions():
    w, x = {"a": A, "b": X}, A.copy()
    for f in (grad(loss), value_and_grad(loss), loss):
        compiled = jit(f)
        for k in range(3):
            like(compiled(w, x + k), f(w, x + k))
    like(grad(jit(loss))(w, x), grad(loss)(w, x))
    like(jit(grad(jit(loss)))(w, x + 1), grad(loss)(w, x + 1))
    f = lambda x: np.sum(np.sin(x) * x[0])  # noqa: E731
    inner = jit(f)
    for made in (hessian(inner), jit(hessian(f)), jit(hessian(inner))):
        for k in range(2):
            like(made(X + k), hessian(f)(X + k), 1e-12)
    outer = jit(lambda x: inner(x) * inner(x))
    for k in range(2):
        like(outer(X + k), f(X + k) ** 2)
    turned = jit(lambda x, t: jvp(f, (x,), (t,)))
    for k in range(2):
        like(turned(X + k, X), jvp(f, (X + k,), (X,)))
    checked = jit(grad(lambda x: np.sum(ad.checkpoint(np.tanh)(x) * x)))
    for k in range(2):
        like(checked(X + k), grad(lambda x: np.sum(np.tanh(x) * x))(X + k))


def test_nodes_go_through():
    f = jit(lambda x: np.sum(np.sin(x)) if np.ndim(x) else x * x)
    x = Tensor(X)
    f(x).backward()
    np.testing.assert_allclose(x.grad, np.cos(X))
    assert type(f(Value(3.0))) is Value
    like(grad(lambda y: jit(lambda x: x * y)(2.0))(3.0), 2.0)


def test_recursion():
    @jit
    def power(x, n):
        return x if n <= 1 else x * power(x, n - 1)

    for n in (1, 4, 2, 4):
        assert power(2.0, n) == 2.0**n


def test_a_method_shares_programs_between_objects():
    class Net:
        def __init__(self, scale):
            self.w = np.full(3, scale)

        @jit
        def out(self, x):
            return self.w * x

    for scale in (1.0, 2.0, 3.0):
        like(Net(scale).out(X), scale * X)
    assert len(Net.out._programs) == 1
    assert isinstance(Net.out, Jitted)


def module_level(x):
    return np.sin(x) * 2


def test_pickle_and_copies():
    compiled = jit(module_level, static=["n"], limit=7)
    compiled(X)
    again = pickle.loads(pickle.dumps(compiled))
    like(again(X), module_level(X))
    assert again._limit == 7
    assert again._static == ("n",)
    like(copy.deepcopy(compiled)(X), module_level(X))
    assert compiled.__name__ == "module_level"
    assert "1 programs" in repr(compiled)


def test_threads():
    worlds = Worlds("k = 1.0\ndef f(x): return np.sum(x * k) if x[0] > 0 else -x")
    failures = []

    def work(seed):
        random = np.random.default_rng(seed)
        try:
            for _ in range(50):
                x = random.normal(size=random.integers(1, 4))
                like(worlds.compiled.f(x), worlds.plain.f(x))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_exceptions_and_warnings_are_the_functions_own():
    solve = jit(lambda a: np.linalg.inv(a) @ a)
    solve(A + np.eye(3))
    with pytest.raises(np.linalg.LinAlgError, match="Singular"):
        solve(np.zeros((3, 3)))
    like(solve(A + np.eye(3)), np.linalg.inv(A + np.eye(3)) @ (A + np.eye(3)))
    log = jit(lambda x: np.log(x) * 2)
    log(np.abs(X))
    with pytest.warns(RuntimeWarning, match="divide by zero encountered in log"):
        like(log(np.zeros(3)), np.full(3, -np.inf))
    with np.errstate(divide="raise"), pytest.raises(FloatingPointError):
        log(np.zeros(3))
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("error")
        log(np.zeros(3))
    inverse = jit(lambda x: 1 / x)
    inverse(2.0)
    with pytest.raises(ZeroDivisionError):
        inverse(0.0)
    many = jit(lambda n: n**9)
    assert many(2) == 512
    assert many(10**6) == 10**54
    shapes = jit(lambda x, y: x @ y)
    shapes(A, X)
    with pytest.raises(ValueError, match=r"mismatch|match"):
        shapes(A, np.ones(4))


def test_rules_of_derivatives_are_silent_as_ever():
    f = grad(lambda x: np.sum(np.where(x > 0, np.sqrt(np.maximum(x, 0)), 0.0)))
    compiled = jit(f)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for k in range(3):
            like(compiled(np.array([0.0, 1.0 + k])), f(np.array([0.0, 1.0 + k])))


def test_a_failure_in_the_middle_leaves_no_half_written_array():
    def f(x, a):
        x *= 2
        np.linalg.inv(a)
        x += 1
        return x.sum()

    compiled = jit(f)
    mine, theirs = X.copy(), X.copy()
    like(compiled(mine, A + np.eye(3)), f(theirs, A + np.eye(3)))
    for g, x in ((compiled, mine), (f, theirs)):
        with pytest.raises(np.linalg.LinAlgError):
            g(x, np.zeros((3, 3)))
    like(mine, theirs)


def test_anomalies_and_kinks_are_looked_for():
    compiled = jit(grad(lambda x: np.sum(abs(x))))
    compiled(X)
    with ad.detect_kinks(), pytest.raises(ad.KinkError):
        compiled(np.zeros(3))


def test_results_are_the_callers_own():
    w = np.ones(3)
    compiled = jit(lambda x: (x, w, w[:2], x * 2))
    for _ in range(2):
        results = compiled(X)
        for result in results[1:]:
            result[...] = 0
        np.testing.assert_array_equal(w, 1)
    assert not np.shares_memory(compiled(X)[0], X)


# What is refused


class Counter_:
    seen = 0


stream = iter([1.0, 2.0, 3.0])
generator = np.random.default_rng(0)


def _counts(x):
    Counter_.seen += 1
    return x


@pytest.mark.parametrize(
    ("f", "message"),
    [
        (lambda x: float(x[0]) * x, "line .*: a traced array does not turn into a plain number"),
        (lambda x: x * x.tolist()[0], "does not turn into"),
        (lambda x: print(x.sum()), "does not turn into|prints"),
        (lambda x: print("here"), "prints"),
        (lambda x: x * np.random.normal(), "draws random numbers"),  # noqa: NPY002
        (lambda x: x * generator.normal(), "draws random numbers"),
        (lambda x: x * next(stream), "stream is a list_iterator"),
        (lambda x: x * __import__("time").time(), "reads the clock"),
        (lambda x: open("there").close(), "opens a file"),
        (lambda x: warnings.warn("now", stacklevel=1), "warns"),
        (_counts, "changes Counter_"),
        (lambda x: (_ for _ in x), "returned: a generator"),
        (lambda x: Tensor(np.ones(2)) * 2, "returned: a Tensor"),
        (lambda x: lambda: x, "returned: a function"),
        (lambda x: np.add(x, 1.0, out=np.zeros(3)), "add would write the numbers"),
    ],
)
def test_what_a_program_cannot_repeat_is_refused(f, message):
    state = generator.bit_generator.state, str(np.random.get_state())  # noqa: NPY002
    with pytest.raises(TypeError, match=message):
        jit(f)(X)
    assert Counter_.seen == 0
    assert (generator.bit_generator.state, str(np.random.get_state())) == state  # noqa: NPY002


def test_a_normal_number_that_the_generator_kept_is_a_draw():
    np.random.seed(0)  # noqa: NPY002
    for _ in range(3):  # every second number comes without a change of the bit generator
        np.random.normal()  # noqa: NPY002
        with pytest.raises(TypeError, match="draws random numbers"):
            jit(lambda x: x * np.random.normal())(X)  # noqa: NPY002


def test_only_functions_are_compiled():
    with pytest.raises(TypeError, match="jit takes a function, not 3"):
        jit(3)


@pytest.mark.parametrize("tensors", [False, True])
@settings(max_examples=2 * settings().max_examples)
@given(st.data())
def test_random_programs(tensors, draw):
    drawn = draw.draw(expressions(tensors=tensors))

    def total(*inputs):
        out = drawn(*inputs)
        return ad.sum(out) if tensors else out

    f = value_and_grad(total, argnums=tuple(range(len(drawn.point))))
    compiled = jit(f)
    with np.errstate(all="ignore"):
        for scale in (1.0, 1.001, -1.0):
            point = [x * scale for x in drawn.point]
            like(compiled(*point), f(*point), 1e-11)


def test_a_back_end_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match="backend='fortran': the back ends are 'numpy'"):
        jit(np.sin, backend="fortran")


def test_a_back_end_says_which_package_it_needs(monkeypatch):
    monkeypatch.setitem(backends.EXTRAS, "missing", ("no_such_package",))
    with pytest.raises(
        ImportError, match=r"needs no_such_package, .*: pip install no_such_package"
    ):
        jit(np.sin, backend="missing")


def test_arrays_of_autodiff_are_written_in_compiled_functions():
    def f(x):
        y = ad.zeros((3, 2))
        y[:, 0] = x
        y[1:, 1] += x[1:] * y[0, 0]
        w = ad.zeros(3)
        w[np.argsort(-x)] = 1.0 * np.arange(3)
        return np.sum(y**2) + w @ x

    compiled = jit(value_and_grad(f))
    for x in (np.array([1.0, 2, 3]), np.array([3.0, -2, 1]), np.array([1.0, 2, 3])):
        like(compiled(x), value_and_grad(f)(x))


def test_programs_with_constant_arrays_are_told_apart():
    def f(x):
        y = x + np.array([1.0, 2.0, 3.0])
        if y[0] > 0:
            return y
        return 2 * y if y[1] > 0 else 3 * y

    compiled = jit(f)
    for signs in ((1, 1), (-1, 1), (-1, -1), (1, 1), (-1, 1), (-1, -1)):
        x = np.array([9.0 * signs[0], 9.0 * signs[1], 0.0])
        like(compiled(x), f(x))
    assert "3 programs" in repr(compiled)
