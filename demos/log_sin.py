"""ln x1 + x1·x2 − sin x2 at (2, 5): evaluation trace, adjoint trace, graph.

The running example of A. G. Baydin et al., Automatic Differentiation in Machine Learning: a
Survey, JMLR 18 (2018), tables 2 and 3.
"""

from autodiff import Value, log, sin, trace
from demos.show import compare, folder, options, save_graph


def main(argv: list[str] | None = None) -> None:
    """Differentiate, print both traces, draw the graph."""
    out = folder(options("log_sin", __doc__).parse_args(argv).out)
    x1, x2 = Value(2, name="x1"), Value(5, name="x2")

    # in the survey's order, so that v₁ … v₅ match it
    logarithm, product, sine = log(x1), x1 * x2, sin(x2)
    y = (logarithm + product) - sine
    y.name = "y"
    y.backward()

    print(f"{trace(y)}\n")
    compare(
        [
            ("f(2, 5)", y.data, 11.652071455223084),
            ("∂f/∂x1", x1.grad, 5.5),
            ("∂f/∂x2", x2.grad, 1.7163378145367738),
        ]
    )
    save_graph(y, out / "log_sin.svg")


if __name__ == "__main__":
    main()
