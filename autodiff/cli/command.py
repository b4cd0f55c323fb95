"""The command line: derivatives of an expression in text.

`python -m autodiff "log(x1) + x1*x2 - sin(x2)" x1=2 x2=5` prints the value, the gradient and the
evaluation trace; without an expression it starts a REPL (`repl.py`).
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from io import TextIOWrapper
from typing import Any

import numpy as np

from autodiff.cli.parser import ExpressionError, parse
from autodiff.cli.report import Misuse, Report
from autodiff.core.about import VERSION

HIGHEST_ORDER = 8
PASSED, FAILED, MISUSED, INTERRUPTED, PIPE_CLOSED = 0, 1, 2, 130, 141

DESCRIPTION = """\
Print the value, the gradient and the evaluation trace of an expression.
Without an expression, start a REPL that shows the derivatives of each result,
or run the statements on the standard input in the same way.
"""
EPILOG = """\
An expression has numbers, variables, the operators + - * / // % ** @, lists for
arrays, elements x[0], the constants pi and e, and NumPy's functions by name:
elementwise functions, reductions, products, linear algebra. It is never
evaluated by Python.

examples:
  autodiff "log(x1) + x1*x2 - sin(x2)" x1=2 x2=5
  autodiff "100*(y - x**2)**2 + (1 - x)**2" x=-1.2 y=1 --order 2 --check
  autodiff "sin(x)/x" --at x=0.1 --at x=pi/2 --json
  autodiff "sum(softplus(A @ x))" "A=[[1, 2], [3, 4]]" x=[1,-1] --draw graph.svg

exit status: 0; 1 if a check failed; 2 if the call was wrong.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal that lacks ∂ shows ?
    try:
        status = _run(_options(sys.argv[1:] if argv is None else argv))
        print(end="", flush=True)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # as in `| head`; then silence Python's flush at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED
    except (Misuse, ExpressionError, OSError) as error:
        print(f"autodiff: {error}", file=sys.stderr)
        return MISUSED
    return status


def _options(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="autodiff",
        usage="autodiff [EXPRESSION [NAME=VALUE ...]] [options]",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("expression", nargs="?", metavar="EXPRESSION", help='"x**2 + sin(x)"')
    parser.add_argument(
        "values", nargs="*", metavar="NAME=VALUE", help="x=2, x=-1e-3, x=pi/2, x=[1,2,3]"
    )
    parser.add_argument(
        "--at",
        action="append",
        metavar="NAME=VALUE,...",
        help="a point; values outside --at hold for all points; repeat --at for several points",
    )
    parser.add_argument(
        "--order",
        type=int,
        choices=range(1, HIGHEST_ORDER + 1),
        default=1,
        metavar="N",
        help="highest order of derivatives; 2 gives the Hessian matrix; up to "
        f"{HIGHEST_ORDER} for one scalar variable",
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="compare both modes and every order with numerical differentiation along random "
        "directions, within its error bound",
    )
    parser.add_argument(
        "--draw", metavar="FILE", help="draw the graph: graph.svg, .png, .pdf, .dot"
    )
    parser.add_argument(
        "--explore",
        nargs="?",
        default=False,
        type=_page,
        metavar="PAGE.html",
        help="step through the graph in the browser; with a path, write the page there",
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--latex", action="store_true", help="print formula and trace as LaTeX")
    form.add_argument(
        "--json",
        action="store_true",
        help='print one JSON object per line and point, with "NaN", "Infinity" and "-Infinity" '
        "as strings",
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    # a leading space keeps argparse from reading an expression such as -x as options
    spaced = [f" {arg}" if re.match(r"-[^-]", arg) and arg != "-h" else arg for arg in argv]
    return parser.parse_intermixed_args(spaced)


def _page(path: str) -> str:
    if not path.endswith((".html", ".htm")):
        raise argparse.ArgumentTypeError(
            f"{path!r} is not an HTML file: put --explore behind the expression, or write "
            "--explore=page.html"
        )
    return path


class _Version(argparse.Action):
    """Prints the version, and ends the run."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        print(f"autodiff {VERSION}")
        parser.exit()


def _run(options: argparse.Namespace) -> int:
    if options.expression is None:
        from autodiff.cli.repl import start

        return int(start())
    f = parse(options.expression)
    shared = dict(_values(options.values))
    points = [shared | dict(_values(_split(point))) for point in options.at or [""]]
    if len(points) > 1 and (options.draw or options.explore is not False):
        raise Misuse("--draw and --explore take one point: write one --at")
    status = PASSED
    for i, point in enumerate(points):
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")  # the results show infinities and NaN
            report = Report(f, point, options.order, options.check)
            _show(report, options, first=i == 0)
            if report.failure:
                print(f"autodiff: the check failed: {report.failure}", file=sys.stderr)
                status = FAILED
    return status


def _show(report: Report, options: argparse.Namespace, first: bool) -> None:
    try:
        if options.draw:
            report.draw(options.draw)
        if options.explore is not False:
            page = report.explore(options.explore)
            print(f"explorer: {page}", file=sys.stderr)  # the standard output may be JSON or LaTeX
    except Exception as error:  # report any failure of drawing as one line
        raise Misuse(str(error)) from error
    if options.json:
        print(json.dumps(report.as_json(), allow_nan=False))
    else:
        paragraphs = report.as_latex() if options.latex else report.as_text(_painter())
        print("" if first else "\n", "\n\n".join(paragraphs), sep="")


def _painter() -> Callable[[int, str], str]:
    """Return a function that colours text if the output is a terminal."""
    if not sys.stdout.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return lambda colour, text: text
    return lambda colour, text: f"\033[{colour}m{text}\033[0m"


def _split(point: str) -> list[str]:
    """Split a point into assignments, at commas outside lists."""
    return re.split(r",(?=\s*\w+\s*=)", point) if point else []


def _values(assignments: Sequence[str]) -> Iterator[tuple[str, Any]]:
    """Yield names and values, floats or arrays of floats."""
    seen = set()
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals:
            raise Misuse(
                f"{assignment.strip()!r:.60} is not an assignment: write x=2, in quotes if it "
                "has spaces"
            )
        variable, value = parse(name), parse(text)
        name = variable.text
        if variable.variables != (name,):
            raise Misuse(f"{name!r:.60} is not a variable name")
        if name in seen:
            raise Misuse(f"{name} has two values")
        seen.add(name)
        if value.variables:
            raise Misuse(f"{name}={text.strip():.60} contains a variable: write a number or a list")
        yield name, value()
