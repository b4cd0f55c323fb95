"""The REPL: Python with autodiff imported; each result shows its gradient and its graph."""

from __future__ import annotations

import builtins
import code
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

import autodiff
from autodiff.core.graph import Node, by_serial
from autodiff.core.tracebacks import hide_in_ipython
from autodiff.views.formulas import number
from autodiff.views.text import printable
from autodiff.views.tree import tree

GREETING = """\
autodiff: its functions, Value, Tensor and np are imported; x1 = Value(2), x2 = Value(5).
Try  log(x1) + x1*x2 - sin(x2)  or  help(grad); Ctrl-D leaves."""
MOST_NODES = 10_000  # most nodes of a graph that is differentiated without being asked to
MOST_VARIABLES = 10  # most variables whose derivatives are shown


def start() -> int:
    """Run the REPL, or the statements piped in; return the exit status."""
    names = namespace()
    if not sys.stdin.isatty():
        return run_piped(names)
    try:
        import IPython  # noqa: F401
    except ImportError:
        run_standard(names)
    else:
        run_ipython(names)
    return 0


def namespace() -> dict[str, Any]:
    """Return the initial names of the REPL."""
    return {
        "__name__": "__console__",
        "__doc__": None,
        "np": np,
        **{name: getattr(autodiff, name) for name in autodiff.__all__},
        "x1": autodiff.Value(2, name="x1"),
        "x2": autodiff.Value(5, name="x2"),
    }


def description(output: Node, names: dict[str, Any]) -> str:
    """Return the text for a node: its value, its gradient and its graph."""
    if output.op is None:
        return repr(output)
    # without _, __ …, the names of a REPL's last results
    called = {x: name for name, x in names.items() if isinstance(x, Node) and name[0] != "_"}
    try:
        return "\n".join([repr(output), *_gradient(output, called), "", tree(output, called)])
    except RuntimeError as error:  # a variable was assigned after it had been read
        return f"{output!r}\n({error})"


def _gradient(output: Node, called: dict[Node, str]) -> Iterator[str]:
    """Yield one line: the derivatives by the variables, or why there are none."""
    if np.size(output._data) != 1:
        return
    variables = _variables(output)
    if variables is None:
        yield f"(more than {MOST_NODES:,} nodes: call backward() and read .grad)"
        return
    shown = variables[:MOST_VARIABLES]
    try:
        slopes = autodiff.gradients(output, shown)
    except (TypeError, ValueError) as error:  # of a complex result
        yield f"({error})"
        return
    labels = [printable(x.name or called.get(x) or type(x).__name__) for x in shown]
    parts = [f"∂/∂{label} = {number(g)}" for label, g in zip(labels, slopes, strict=True)]
    more = len(variables) - len(shown)
    yield ", ".join(parts) + (f", and by {more} more" if more else "")


def _variables(output: Node) -> list[Node] | None:
    """Return the variables of `output`, oldest first; None if the graph is large."""
    output.follow()
    seen = {output}
    todo = [output]
    for node in todo:
        fresh = {arg for arg in node.as_read() if isinstance(arg, Node)} - seen
        seen |= fresh
        todo += fresh
        if len(todo) > MOST_NODES:
            return None
    return sorted((node for node in todo if node.op is None), key=by_serial)


def run_piped(names: dict[str, Any]) -> int:
    """Run the statements on the standard input until one fails; return the exit status."""
    console = _Piped(names, filename="<stdin>")
    with _showing(names):
        for line in sys.stdin:
            console.push(line.rstrip("\n"))
            if console.failed:
                return 1
        console.push("")  # the end of a block
    return int(console.failed)


class _Piped(code.InteractiveConsole):
    """A console that records whether a statement failed."""

    failed = False

    def showtraceback(self) -> None:
        self.failed = True
        super().showtraceback()

    def showsyntaxerror(self, *args: Any, **kwargs: Any) -> None:
        self.failed = True
        super().showsyntaxerror(*args, **kwargs)


def run_standard(names: dict[str, Any]) -> None:
    """Run Python's own REPL."""
    with _showing(names), _line_editing(names):
        code.interact(GREETING, local=names, exitmsg="")


@contextmanager
def _showing(names: dict[str, Any]) -> Iterator[None]:
    """Make expression statements show a node's gradient and graph inside the context."""
    usual = sys.displayhook

    def show(value: Any) -> None:
        if isinstance(value, Node):
            print(description(value, names))
            builtins._ = value  # type: ignore[attr-defined]
        else:
            usual(value)

    sys.displayhook = show
    try:
        yield
    finally:
        sys.displayhook = usual


@contextmanager
def _line_editing(names: dict[str, Any]) -> Iterator[None]:
    """Enable completion and a saved history, where Python has readline."""
    try:
        import readline
        import rlcompleter
    except ImportError:
        yield
        return
    libedit = "libedit" in (readline.__doc__ or "")
    readline.parse_and_bind("bind ^I rl_complete" if libedit else "tab: complete")
    readline.set_completer(rlcompleter.Completer(names).complete)
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    history = Path(state) / "autodiff" / "history"
    with suppress(OSError):
        readline.read_history_file(history)
    try:
        yield
    finally:
        readline.set_completer(None)
        with suppress(OSError):
            history.parent.mkdir(parents=True, exist_ok=True)
            readline.write_history_file(history)


def run_ipython(names: dict[str, Any]) -> None:
    """Run IPython with nodes shown as text."""
    from IPython.terminal.ipapp import TerminalIPythonApp
    from traitlets.config import Config

    config = Config()
    config.TerminalInteractiveShell.banner1 = f"{GREETING}\n"
    application: Any = TerminalIPythonApp  # without types in older releases
    app = application.instance(user_ns=names, config=config)
    app.initialize([])
    hide_in_ipython()
    # takes precedence over the node's own method, which draws a picture
    app.shell.display_formatter.mimebundle_formatter.for_type(
        Node, lambda node, **_: {"text/plain": description(node, app.shell.user_ns)}
    )
    app.start()
