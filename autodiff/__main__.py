"""`python -m autodiff`: the command line."""

from autodiff.cli.command import main

if __name__ == "__main__":
    raise SystemExit(main())
