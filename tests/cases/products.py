"""What products are tried with."""

from cases.case import Case, listed

CASES = {
    "affine": listed(
        Case([(2, 3), (3, 4), (4,)], slack=40), Case([(5, 2, 3), (3, 4), (4,)], slack=40)
    ),
    "matmul": listed(
        *[
            Case(shapes, complex=True, slack=40)
            for shapes in [
                [(2, 3), (3, 4)],
                [(3,), (3,)],
                [(2, 3), (3,)],
                [(3,), (3, 2)],
                [(5, 2, 3), (3, 4)],
                [(5, 1, 2, 3), (4, 3, 2)],
                [(3,), (5, 3, 2)],
                [(5, 2, 3), (3,)],
                [(2, 0), (0, 3)],
            ]
        ]
    ),
}
