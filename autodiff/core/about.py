"""The package's version, and the command that installs its extras."""

VERSION = "0.1.0"  # pyproject.toml reads it here


def install(extra: str) -> str:
    """Return the command that installs an extra from a clone of the project.

    Parameters
    ----------
    extra : str
        `demos`, `repl` or `test`, as in pyproject.toml.

    Examples
    --------
    >>> install("repl")
    'pip install -e ".[repl]"'
    """
    return f'pip install -e ".[{extra}]"'
