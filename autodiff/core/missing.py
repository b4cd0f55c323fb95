"""Advice for SciPy's special functions that are not in the table yet."""

INSTEAD = {
    "expit": "autodiff.sigmoid(x)",
    "log_expit": "autodiff.log_sigmoid(x)",
    "logit": "autodiff.log(x) - autodiff.log1p(-x)",
}
"""Equivalent expressions over functions of the table."""

RULES = {
    "erf": "2 / np.sqrt(np.pi) * np.exp(-(x**2))",
    "erfc": "-2 / np.sqrt(np.pi) * np.exp(-(x**2))",
    "erfinv": "np.sqrt(np.pi) / 2 * np.exp(out**2)",
    "ndtr": "np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi)",
    "gamma": "out * scipy.special.digamma(x)",
    "gammaln": "scipy.special.digamma(x)",
    "digamma": "scipy.special.polygamma(1, x)",
    "j0": "-scipy.special.j1(x)",
}
"""Partials for a `custom_rule`; as text, because SciPy is not a dependency."""

OTHERS = {
    *("beta", "betaln", "betainc", "gammainc", "gammaincc", "polygamma", "psi", "zeta"),
    *("erfcx", "log_ndtr", "ndtri", "exp1", "expi", "ellipe", "ellipk", "hyp2f1", "lambertw"),
    *("j1", "jv", "y0", "y1", "yv", "kv", "xlogy", "xlog1py"),
}
"""Functions without a ready partial."""

SPECIAL = INSTEAD.keys() | RULES.keys() | OTHERS


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
    known = name if name in RULES else "erf"
    rule = (
        f"{known} = autodiff.custom_rule(partials=lambda out, x: {RULES[known]})"
        f"(scipy.special.{known})"
    )
    return f"state its derivative yourself, {'' if known == name else 'as for erf: '}{rule}"
