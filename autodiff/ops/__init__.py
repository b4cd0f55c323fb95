"""The table of primitives, a file a family; importing this package fills it."""

from autodiff.ops import elementwise, products, reductions, shapes, softmax

__all__ = ["elementwise", "products", "reductions", "shapes", "softmax"]
