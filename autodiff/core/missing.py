"""Advice for SciPy's special functions that are not in the table yet."""

INSTEAD = {
    "expit": "autodiff.sigmoid(x)",
    "log_expit": "autodiff.log_sigmoid(x)",
    "logit": "autodiff.log(x) - autodiff.log1p(-x)",
}
"""Equivalent expressions over functions of the table."""

OTHERS = {
    *("beta", "betaln", "betainc", "gamma", "gammaln", "gammainc", "gammaincc", "digamma", "psi"),
    *("polygamma", "zeta", "erf", "erfc", "erfcx", "erfinv", "ndtr", "log_ndtr", "ndtri", "exp1"),
    *("expi", "ellipe", "ellipk", "hyp2f1", "lambertw", "j0", "j1", "jv", "y0", "y1", "yv", "kv"),
    *("xlogy", "xlog1py"),
}
"""Functions without an equivalent expression."""

SPECIAL = INSTEAD.keys() | OTHERS


def advice(name: str) -> str:
    """Return advice for a function of `scipy.special` that has no row.

    Parameters
    ----------
    name : str
        Its name in `scipy.special`.

    Examples
    --------
    >>> advice("expit")
    'write autodiff.sigmoid(x)'
    """
    if name in INSTEAD:
        return f"write {INSTEAD[name]}"
    return (
        f"state its derivative yourself, {name} = autodiff.custom_rule(partials=lambda out, x: "
        f"...)(scipy.special.{name}), with one partial for each argument"
    )
