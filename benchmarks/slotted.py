"""The floor for scalars: a minimal node that stores its local partials."""

from __future__ import annotations

from itertools import count
from operator import attrgetter

next_serial = count().__next__
by_serial = attrgetter("serial")


class Slotted:
    """A number with two operators and relu; `backward` does not recurse."""

    __slots__ = ("data", "grad", "inputs", "partials", "serial")

    def __init__(
        self,
        data: float,
        inputs: tuple[Slotted, ...] = (),
        partials: tuple[float, ...] = (),
    ) -> None:
        self.data = data
        self.grad = 0.0
        self.inputs = inputs
        self.partials = partials
        self.serial = next_serial()

    def __add__(self, other: Slotted | float) -> Slotted:
        if type(other) is Slotted:
            return Slotted(self.data + other.data, (self, other), (1.0, 1.0))
        return Slotted(self.data + other, (self,), (1.0,))  # type: ignore[operator]

    def __mul__(self, other: Slotted | float) -> Slotted:
        if type(other) is Slotted:
            return Slotted(self.data * other.data, (self, other), (other.data, self.data))
        return Slotted(self.data * other, (self,), (other,))  # type: ignore[operator, arg-type]

    def relu(self) -> Slotted:
        active = self.data > 0
        return Slotted(self.data if active else 0.0, (self,), (1.0 if active else 0.0,))

    def backward(self) -> None:
        """Accumulate every `grad`, newest node first, so that readers come before their inputs."""
        found = [self]
        seen = {self}
        for node in found:
            for arg in node.inputs:
                if arg.inputs and arg not in seen:
                    seen.add(arg)
                    found.append(arg)
        found.sort(key=by_serial, reverse=True)
        self.grad = 1.0
        for node in found:
            g = node.grad
            for arg, partial in zip(node.inputs, node.partials, strict=True):
                arg.grad += g * partial
