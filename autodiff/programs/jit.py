"""`jit`: a function that keeps programs of itself, and runs the one that fits."""

from __future__ import annotations

import functools
import sys
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from autodiff.core import trees
from autodiff.core.graph import Node
from autodiff.core.modes import recording, watcher
from autodiff.core.tracebacks import user_frame
from autodiff.programs import backends, effects
from autodiff.programs.compiled import Diverged
from autodiff.programs.program import Program
from autodiff.programs.record import record
from autodiff.programs.state import Recorded, Unsupported
from autodiff.programs.trace import Refusal, Traced
from autodiff.transforms.results import Function, name_of

LONGEST = 100_000
"""A program of more calls takes too long to compile."""


class Jitted:
    """A compiled function; made by `jit`."""

    def __init__(self, f: Function, static: Sequence[str], limit: int, backend: str) -> None:
        if not callable(f):
            raise TypeError(f"jit takes a function, not {f!r:.40}")
        backends.check(backend)
        functools.update_wrapper(self, f, updated=())
        self.__jitted__ = f
        self._static, self._limit, self._backend = tuple(static), limit, backend
        self._programs: list[Program] = []
        """The one used last is the first."""
        self._varying: set[str] = set()
        self._causes: Counter[str] = Counter()
        self._eager = False

    def __repr__(self) -> str:
        return f"<compiled {name_of(self.__jitted__)}: {len(self._programs)} programs>"

    def __get__(self, x: Any, owner: type | None = None) -> Any:
        return self if x is None else functools.partial(self, x)

    def __reduce__(self) -> Any:
        return _again, (self.__jitted__, self._static, self._limit, self._backend)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return what the function returns, for any arguments that it takes."""
        if self._eager or watcher() is not None or not recording():
            return self.__jitted__(*args, **kwargs)
        for program in self._programs:
            inputs, found = program.check.find(args, kwargs)
            if inputs is not None:
                return self._run(program, inputs, found, args, kwargs)
        if any(isinstance(leaf, Node | Traced) for leaf in trees.leaves((args, kwargs))):
            return self.__jitted__(*args, **kwargs)  # a part of what is recorded or traced now
        return self._trace(args, kwargs)

    def program(self, *args: Any, **kwargs: Any) -> Program:
        """Return the program that a call with these arguments runs, without running it.

        Raises
        ------
        TypeError
            If the function cannot be compiled.
        """
        with effects.lock:
            made = self._record(args, kwargs)
        return replace(made, backend=self._backend)

    def _record(self, args: Any, kwargs: Any) -> Program:
        converting = self._backend in backends.CONVERTING
        return record(self.__jitted__, args, kwargs, self._varying, self._static, converting)

    def _run(self, program: Program, inputs: Any, objects: Any, args: Any, kwargs: Any) -> Any:
        """Run a program; where data decide otherwise, the one that decided as they do."""
        first, failed = program, []
        while True:
            saved = program.saved(inputs)
            heard: dict[str, int] = {}
            try:
                with np.errstate(all="call", under="ignore", call=heard.__setitem__):
                    values = program.compute(inputs)
            except Diverged as error:
                program.restore(inputs, saved)
                failed.append(program)
                guard = program.guard_at(error)
                another = self._deciding_as(program, guard.order, failed, args, kwargs)
                if another is None:
                    self._causes[str(guard.line)] += 1
                    return self._trace(args, kwargs)
                program, inputs, objects = another
            except Exception as error:  # the function itself says what is wrong
                program.restore(inputs, saved)
                # the function would compute otherwise with such arrays, or warn of something else
                if program.converts or isinstance(error, Warning):
                    raise
                return self.__jitted__(*args, **kwargs)
            except BaseException:
                program.restore(inputs, saved)
                raise
            else:
                break
        if heard and self._is_told(heard) and program.warns(saved or inputs):
            program.restore(inputs, saved)
            return self.__jitted__(*args, **kwargs)  # with NumPy's warnings
        if program is not first or program is not self._programs[0]:
            self._programs = [program, *(x for x in self._programs if x is not program)]
        return program.end(values, inputs, objects)

    def _deciding_as(
        self, program: Program, order: int, failed: list[Program], args: Any, kwargs: Any
    ) -> tuple[Program, Any, Any] | None:
        """Return a program that decided as another did up to a decision, and then otherwise."""
        known = program.decisions[:order]
        for other in self._programs:
            if other not in failed and other.decisions[:order] == known:
                inputs, objects = other.check.find(args, kwargs)
                if inputs is not None:
                    return other, inputs, objects
        return None

    def _is_told(self, heard: dict[str, int]) -> bool:
        """Return whether NumPy's settings want any of the warnings to be given."""
        settings = np.geterr()
        return any(
            setting != "ignore" and any(words.startswith(kind) for words in heard)
            for kind, setting in settings.items()
        )

    def _trace(self, args: Any, kwargs: Any) -> Any:
        """Trace a new program, and return the function's own answer."""
        f = self.__jitted__
        with effects.lock:
            self._look_for_causes(args, kwargs)
            if len(self._programs) >= self._limit:
                cause = self._causes.most_common(1)[0][0] if self._causes else "its arguments"
                self._give_up(
                    f"it has {self._limit} programs already, most often because of {cause}: make "
                    "what varies there an argument, or a calculation with arrays, or raise `limit`"
                )
                return f(*args, **kwargs)
            try:
                made = self._record(args, kwargs)
            except Refusal:
                raise
            except Recorded:
                return f(*args, **kwargs)
            except Unsupported as error:
                self._warn(f"this call runs uncompiled, since {error}")
                return f(*args, **kwargs)
            except Exception as error:
                result = f(*args, **kwargs)  # which raises its own, if the mistake is there
                self._give_up(f"it cannot be traced ({type(error).__name__}: {error})")
                return result
            if len(made.steps) > LONGEST:
                self._give_up(f"it takes {len(made.steps):,} calls of NumPy, too many to compile")
                return f(*args, **kwargs)
            inputs, objects = made.check.find(args, kwargs)
            if made.converts:
                made = replace(made, backend=self._backend)
                self._programs = [made, *self._programs]
                return made.end(made.compute(inputs, first=True), inputs, objects)
            result = f(*args, **kwargs)
            made = replace(made.finished_as(result), backend=self._backend)
            self._programs = [made, *self._programs]
            return made.separated(result, inputs)

    def _look_for_causes(self, args: Any, kwargs: Any) -> None:
        """Note why no program fits; captured numbers that changed become inputs."""
        for program in self._programs:
            inputs, number = program.check.find(args, kwargs)
            if inputs is None and number >= 0:
                test = program.check.tests[number]
                self._causes[test.label] += 1
                if test.varies:
                    self._varying.add(test.label)

    def _give_up(self, reason: str) -> None:
        self._eager = True
        self._warn(f"it runs uncompiled from now on, since {reason}")

    def _warn(self, words: str) -> None:
        frame = user_frame(sys._getframe(1))
        warnings.warn_explicit(
            f"jit({name_of(self.__jitted__)}): {words}",
            UserWarning,
            frame.f_code.co_filename,
            frame.f_lineno,
        )


def jit(
    f: Function,
    *,
    static: str | Sequence[str] = (),
    limit: int = 64,
    backend: str = "numpy",
) -> Jitted:
    """Return a compiled function that answers what `f` would answer.

    The first call traces `f`: it records the calls of NumPy that `f` and its derivatives make, as a
    program. Later calls run the program. What `f` read besides its arguments, and what data decided
    (`if x[0] > 0`), is looked at again in each call; where it differs, `f` is traced again.

    Parameters
    ----------
    f : callable
        A function of numbers, arrays and containers of them, such as `grad(loss)` or a whole
        training step. It may read and change captured variables and arrays.
    static : str or sequence of str
        Names of arguments whose numbers are constants of a program: each value is traced anew.
    limit : int
        The function runs uncompiled, with a warning, once it would need more programs than this.
    backend : {"numpy", "llvm", "jax"}
        What computes the programs. `"llvm"` makes machine code of as many calls as it can, which
        pays where arrays are small, and for long chains of elementwise calls. `"jax"` runs them on
        JAX's CPU, GPU or TPU; arguments may be arrays of JAX then, and results are, too, on the
        same device.

    Returns
    -------
    callable
        Takes the arguments of `f` and returns what it returns; arrays of the result share no
        memory with others. `.program(*args)` returns the program of a call.

    Raises
    ------
    ValueError
        If there is no such back end.
    ImportError
        If a package that the back end needs is not installed.
    TypeError
        By the compiled function, if `f` does what a program could not repeat: it turns an array
        into a plain number (`float(x)`, `x.item()`), prints, reads a clock, draws random numbers,
        or stores something other than numbers, arrays and containers of them.

    Examples
    --------
    >>> import numpy as np
    >>> from autodiff import grad, jit
    >>> slope = jit(grad(lambda x: np.sum(np.sin(x) ** 2)))
    >>> slope(np.array([0.0, 1.0]))
    array([0.        , 0.90929743])
    >>> slope(np.array([0.0, 2.0]))
    array([ 0.       , -0.7568025])
    """
    return Jitted(f, [static] if isinstance(static, str) else static, limit, backend)


def program(f: Function, *args: Any, **kwargs: Any) -> Program:
    """Return the NumPy calls of one run of a function as a program.

    The function, its derivatives and transforms included, runs once on arrays that write down each
    call. Arrays that it captures are read anew in each run; numbers and all else that it captures
    must be what they were. Where data decide (`if x[0] > 0`), the program raises an error if later
    data decide otherwise; `jit` makes another program then.

    Parameters
    ----------
    f : callable
        A function of numbers, arrays and containers of them, such as `grad(loss)`.
    *args, **kwargs
        Arguments to run it on. Their shapes and dtypes are those of the program.

    Returns
    -------
    Program
        `print(p)` shows its source, `p(*args)` runs it, `p.save("gradient.py")` writes a file that
        needs nothing but NumPy.

    Raises
    ------
    TypeError
        If the function does something that no program can repeat: turns a traced array into a
        plain number (`float(x)`), prints, draws random numbers, or returns something other than
        numbers and arrays.

    Examples
    --------
    >>> from autodiff import grad, log, program, sin
    >>> p = program(grad(lambda x1, x2: log(x1) + x1 * x2 - sin(x2), (0, 1)), 2.0, 5.0)
    >>> print(p)
    def program(x1, x2):
        return x2 + 1 / x1, -np.cos(x2) + x1
    <BLANKLINE>
    >>> p(2.0, 5.0)
    (5.5, 1.7163378145367738)
    """
    return jit(f).program(*args, **kwargs)


def _again(f: Function, static: Sequence[str], limit: int, backend: str) -> Jitted:
    return jit(f, static=static, limit=limit, backend=backend)
