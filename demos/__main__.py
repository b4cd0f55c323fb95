"""`python -m demos` lists the demos; `python -m demos NAME [options]` runs one."""

import importlib
import sys
from io import TextIOWrapper

from autodiff.core.about import install
from demos.show import Trouble

NAMES = (
    "log_sin",
    "price_graphs",
    "gallery",
    "relu_fit",
    "newton",
    "kepler",
    "pendulum",
    "truss",
    "gradient_check",
    "mnist",
)


def main(argv: list[str]) -> int:
    """Run the demo named first with the remaining arguments; return the exit status."""
    if not argv or argv[0] in ("-h", "--help"):
        print("usage: python -m demos NAME [options]        (NAME --help lists the options)\n")
        for name in NAMES:
            summary = (importlib.import_module(f"demos.{name}").__doc__ or "").splitlines()[0]
            print(f"  {name:<15} {summary}")
        return 0
    name, *options = argv
    if name not in NAMES:
        print(f"there is no demo {name!r}: choose one of {', '.join(NAMES)}", file=sys.stderr)
        return 2
    try:
        importlib.import_module(f"demos.{name}").main(options)
    except Trouble as trouble:
        print(f"{name}: {trouble}", file=sys.stderr)
        return 1
    except ModuleNotFoundError as error:
        print(f"{name}: {error}; {install('demos')} installs it", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal that lacks ∂ shows ?
    sys.exit(main(sys.argv[1:]))
