"""Tools: how each library differentiates, loops and compiles one and the same formula."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np

import autodiff as ad
from benchmarks.derivatives import AUTOGRAD, FLOOR, TORCH
from benchmarks.timing import OURS

Function = Callable[..., Any]
ArgNums = int | tuple[int, ...]

JAX, JAX_UNROLLED, TORCH_COMPILED = "JAX jit", "JAX jit, unrolled", "PyTorch compiled"
BACKENDS = {f"{OURS} {name}": name for name in ("numpy", "llvm", "jax")}
"""Our compiled contestants, and the back end of each."""


class Unavailable(Exception):
    """A tool cannot take part; the message says why."""


class Tool:
    """Our eager transforms, and the interface of all tools.

    A formula gets the namespace `xp` as an argument, and of the static methods those that it needs:
    loops, scalars of an array, and derivatives inside of the formula. The methods return functions
    that are ready to run. An argument is a number, an array, or a tuple of numbers for formulas on
    scalars, which tools without scalars keep as one array.
    """

    name = OURS
    xp: Any = np
    unrolls = False
    """Whether it differs from another tool in loops only."""

    def compiled(self, f: Function) -> Function:
        return f

    def argument(self, x: Any) -> Any:
        """Return the tool's own copy of an argument."""
        return np.array(x) if isinstance(x, np.ndarray) else x

    def wait(self, result: Any) -> Any:
        """Return a result once it has been computed."""
        return result

    def grad(self, f: Function, argnums: ArgNums = 0) -> Function:
        return self.compiled(ad.grad(f, argnums))

    def value_and_grad(self, f: Function, argnums: ArgNums = 0) -> Function:
        return self.compiled(ad.value_and_grad(f, argnums))

    def value_and_slope(self, f: Function) -> Function:
        """Return a function for the value and derivative of `f` by its one number."""
        return self.value_and_grad(f)

    def jacobian(self, f: Function) -> Function:
        return self.compiled(ad.jacobian(f))

    def jacobians(self, f: Function) -> Function:
        """Return a function for the Jacobians of `f` at each of many points."""
        one = self.jacobian(f)
        return lambda *batch: [one(*point) for point in zip(*batch, strict=True)]

    @staticmethod
    def fold(step: Function, carry: Any, items: Iterable[Any]) -> Any:
        """Return the last carry of `carry = step(carry, item)`."""
        for item in items:
            carry = step(carry, item)
        return carry

    @staticmethod
    def loop_while(condition: Function, step: Function, state: Any) -> Any:
        while condition(state):
            state = step(state)
        return state

    @staticmethod
    def scalars(x: Any) -> Sequence[Any]:
        return x  # type: ignore[no-any-return]  # a tuple already

    @staticmethod
    def relu(x: Any) -> Any:
        return ad.relu(x)

    @staticmethod
    def inner_grad(f: Function, argnums: ArgNums) -> Function:
        """Return the gradient for use inside of a formula that is differentiated again."""
        return ad.grad(f, argnums)

    @staticmethod
    def grad_and_hvp(f: Function, x: Any, v: Any) -> tuple[Any, Any]:
        """Return ∇f(x), and the Hessian of `f` at `x` times `v`."""
        gradient, product = ad.jvp(ad.grad(f), (x,), (v,))
        return gradient, product


class Compiled(Tool):
    """Our transforms, compiled by a named back end."""

    def __init__(self, name: str) -> None:
        self.name, self.backend = name, BACKENDS[name]
        try:
            ad.jit(abs, backend=self.backend)
        except (ValueError, ImportError) as error:
            raise Unavailable(str(error)) from error

    def compiled(self, f: Function) -> Function:
        return ad.jit(f, backend=self.backend)


class Jax(Tool):
    name = JAX

    def __init__(self) -> None:
        import jax
        import jax.numpy as jnp

        jax.config.update("jax_enable_x64", True)
        self.jax, self.xp = jax, jnp

    def compiled(self, f: Function) -> Function:
        return self.jax.jit(f)

    def argument(self, x: Any) -> Any:
        return self.xp.array(x)

    def wait(self, result: Any) -> Any:
        return self.jax.block_until_ready(result)

    def grad(self, f: Function, argnums: ArgNums = 0) -> Function:
        return self.compiled(self.jax.grad(f, argnums))

    def value_and_grad(self, f: Function, argnums: ArgNums = 0) -> Function:
        return self.compiled(self.jax.value_and_grad(f, argnums))

    def value_and_slope(self, f: Function) -> Function:
        # a loop whose length depends on data has forward mode only
        return self.compiled(lambda x: self.jax.jvp(f, (x,), (self.xp.ones_like(x),)))

    def jacobian(self, f: Function) -> Function:
        return self.compiled(self.jax.jacfwd(f))

    def jacobians(self, f: Function) -> Function:
        return self.compiled(self.jax.vmap(self.jax.jacfwd(f)))

    @staticmethod
    def fold(step: Function, carry: Any, items: Any) -> Any:
        from jax import lax

        if isinstance(items, range):
            return lax.fori_loop(0, len(items), lambda i, carry: step(carry, i), carry)
        return lax.scan(lambda carry, item: (step(carry, item), None), carry, items)[0]

    @staticmethod
    def loop_while(condition: Function, step: Function, state: Any) -> Any:
        from jax import lax

        return lax.while_loop(condition, step, state)

    @staticmethod
    def scalars(x: Any) -> Sequence[Any]:
        return list(x)

    @staticmethod
    def relu(x: Any) -> Any:
        import jax

        return jax.nn.relu(x)

    @staticmethod
    def inner_grad(f: Function, argnums: ArgNums) -> Function:
        import jax

        return jax.grad(f, argnums)

    @staticmethod
    def grad_and_hvp(f: Function, x: Any, v: Any) -> tuple[Any, Any]:
        import jax

        gradient, product = jax.jvp(jax.grad(f), (x,), (v,))
        return gradient, product


class JaxUnrolled(Jax):
    """JAX on loops of Python, which its compiler sees step by step, as ours does."""

    name = JAX_UNROLLED
    unrolls = True
    fold = staticmethod(Tool.fold)


class Torch(Tool):
    """PyTorch, eager: its tape outside, its function transforms inside of formulas."""

    name = TORCH

    def __init__(self) -> None:
        import torch

        torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
        self.torch = self.xp = torch

    def argument(self, x: Any) -> Any:
        return self.torch.tensor(x, dtype=None if hasattr(x, "dtype") else self.torch.float64)

    def grad(self, f: Function, argnums: ArgNums = 0) -> Function:
        both = self.value_and_grad(f, argnums)
        return lambda *args: both(*args)[1]

    def value_and_grad(self, f: Function, argnums: ArgNums = 0) -> Function:
        numbers = argnums if isinstance(argnums, tuple) else (argnums,)

        def both(*args: Any) -> Any:
            leaves = [args[k].detach().requires_grad_() for k in numbers]
            whole = list(args)
            for k, leaf in zip(numbers, leaves, strict=True):
                whole[k] = leaf
            value = f(*whole)
            slopes = self.torch.autograd.grad(value, leaves)
            return value.detach(), slopes if isinstance(argnums, tuple) else slopes[0]

        return both

    def jacobian(self, f: Function) -> Function:
        return self.compiled(self.torch.func.jacfwd(f))

    def jacobians(self, f: Function) -> Function:
        return self.compiled(self.torch.vmap(self.torch.func.jacfwd(f)))

    @staticmethod
    def scalars(x: Any) -> Sequence[Any]:
        return x.unbind()  # type: ignore[no-any-return]

    @staticmethod
    def relu(x: Any) -> Any:
        return x.relu()

    @staticmethod
    def inner_grad(f: Function, argnums: ArgNums) -> Function:
        import torch

        return torch.func.grad(f, argnums)

    @staticmethod
    def grad_and_hvp(f: Function, x: Any, v: Any) -> tuple[Any, Any]:
        from torch.func import grad, jvp

        gradient, product = jvp(grad(f), (x,), (v,))
        return gradient, product


class TorchCompiled(Torch):
    """PyTorch's function transforms, compiled by TorchInductor, which needs a C++ compiler."""

    name = TORCH_COMPILED

    def compiled(self, f: Function) -> Function:
        self.torch._dynamo.reset()  # programs of earlier rows count against a limit
        made = self.torch.compile(f, fullgraph=True)

        def run(*args: Any) -> Any:
            try:
                return made(*args)
            except self.torch._dynamo.exc.TorchDynamoException as error:
                first_line = str(error).strip().partition("\n")[0]
                raise Unavailable(f"{type(error).__name__}: {first_line}") from error

        return run

    def grad(self, f: Function, argnums: ArgNums = 0) -> Function:
        return self.compiled(self.torch.func.grad(f, argnums))

    def value_and_grad(self, f: Function, argnums: ArgNums = 0) -> Function:
        both = self.torch.func.grad_and_value(f, argnums)
        return self.compiled(lambda *args: both(*args)[::-1])


class Hips(Tool):
    name = AUTOGRAD

    def __init__(self) -> None:
        import autograd
        import autograd.numpy as anp

        self.autograd, self.xp = autograd, anp

    def grad(self, f: Function, argnums: ArgNums = 0) -> Function:
        return self.autograd.grad(f, argnums)  # type: ignore[no-any-return]

    def value_and_grad(self, f: Function, argnums: ArgNums = 0) -> Function:
        return self.autograd.value_and_grad(f, argnums)  # type: ignore[no-any-return]

    def jacobian(self, f: Function) -> Function:
        return self.autograd.jacobian(f)  # type: ignore[no-any-return]

    @staticmethod
    def scalars(x: Any) -> Sequence[Any]:
        return [x[k] for k in range(len(x))]

    @staticmethod
    def relu(x: Any) -> Any:
        import autograd.numpy as anp

        return anp.maximum(x, 0.0)

    @staticmethod
    def inner_grad(f: Function, argnums: ArgNums) -> Function:
        import autograd

        return autograd.grad(f, argnums)  # type: ignore[no-any-return]

    @staticmethod
    def grad_and_hvp(f: Function, x: Any, v: Any) -> tuple[Any, Any]:
        from autograd import make_hvp

        product, gradient = make_hvp(f)(x)
        return gradient, product(v)


MAKERS: dict[str, Callable[[], Tool]] = {
    OURS: Tool,
    **{name: partial(Compiled, name) for name in BACKENDS},
    JAX: Jax,
    JAX_UNROLLED: JaxUnrolled,
    TORCH: Torch,
    TORCH_COMPILED: TorchCompiled,
    AUTOGRAD: Hips,
}
"""By name, in the order of tables; hand-written NumPy is no tool."""
CONTESTANTS = (*MAKERS, FLOOR)
SLOW = (JAX_UNROLLED, TORCH_COMPILED)
"""Take part only where asked for, since they take minutes to compile."""


def available(slow: bool) -> tuple[dict[str, Tool], dict[str, str]]:
    """Return the tools that can take part, and why others cannot."""
    tools, skipped = {}, {}
    for name, make in MAKERS.items():
        if name in SLOW and not slow:
            skipped[name] = "slow to compile: add --slow"
            continue
        try:
            tools[name] = make()
        except ModuleNotFoundError as missing:
            skipped[name] = f"{missing.name} not installed"
        except Unavailable as reason:
            skipped[name] = str(reason)
    return tools, skipped


def first_result(step: Callable[[], Any]) -> Any:
    """Return the result of a first call, which must be compiled if it is to be.

    Raises
    ------
    Unavailable
        If `jit` warns that it runs the function uncompiled.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("error", r"jit\(", UserWarning)
        try:
            return step()
        except UserWarning as warning:
            raise Unavailable(str(warning)) from warning
