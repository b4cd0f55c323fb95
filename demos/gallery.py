"""Draw the pictures of demos/README.md."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from autodiff import Tensor, Value, cos, draw, exp, grouped, jit, log, reshape, sin
from demos.price_graphs import apples_and_oranges
from demos.show import folder, options
from nn import TwoLayerNet, mnist, softmax_cross_entropy, train
from nn.data import SUBSET


def price(out: Path) -> Path:
    """Apples, oranges and tax: values above the lines, gradients below them."""
    total, _ = apples_and_oranges()
    return draw(total).save(out / "price.svg")


def names(out: Path) -> Path:
    """Names in any script."""
    apple, number, tax = Value(100, "りんご"), Value(2, "개수"), Value(1.1, "消費税")
    total = apple * number * tax
    total.name = "値段"
    total.backward()
    return draw(total, legend=False).save(out / "names.svg")


def _log_sin() -> Any:
    """Return ln x1 + x1·x2 − sin x2, after backward()."""
    x1, x2 = Value(2, "x1"), Value(5, "x2")
    y = log(x1) + x1 * x2 - sin(x2)
    y.name = "y"
    y.backward()
    return y


def partials(out: Path) -> Path:
    """Every local partial derivative, as a formula and as a number."""
    return draw(_log_sin(), partials=True).save(out / "partials.svg")


def downwards(out: Path) -> Path:
    """The same graph from top to bottom."""
    return draw(_log_sin(), direction="TB").save(out / "downwards.svg")


def boxes(out: Path) -> Path:
    """`grouped` functions are drawn in boxes; depth=0 closes them."""

    @grouped()
    def bell(x: Any) -> Any:
        return exp(-x * x)

    @grouped()
    def wave(x: Any, rate: Any) -> Any:
        return cos(rate * x)

    x, rate = Value(0.5, "x"), Value(3.0, "rate")
    y = bell(x) * wave(x, rate)
    y.name = "packet"
    y.backward()
    return draw(y).save(out / "boxes.svg")


def pendulum(out: Path) -> Path:
    """A loop of a thousand steps: iterations between the first and the last are folded."""
    angle, speed, gravity = Value(1.0, "θ"), Value(0.0, "ω"), Value(9.81, "g")
    for _ in range(1000):
        angle, speed = angle + 0.001 * speed, speed - 0.001 * gravity * sin(angle)
    angle.name = "θ after 1 s"
    angle.backward()
    return draw(angle).save(out / "pendulum.svg")


def _network() -> tuple[TwoLayerNet, Any, Any]:
    """Return a network after 300 training steps, with test images and labels."""
    digits = mnist(SUBSET)
    seen, unseen = (
        images.reshape(-1, 784) / 255.0 for images in (digits.train_images, digits.test_images)
    )
    network, test = TwoLayerNet(784, 50, 10, rng=0), (unseen, digits.test_labels)
    train(network, (seen, digits.train_labels), test, iterations=300, every=300, rng=0)
    return network, *test


def network(out: Path) -> Path:
    """A network on one page: its layers, their parameters, values and gradients."""
    trained, images, labels = _network()
    loss, _ = trained.record(images[:100], labels[:100])
    loss.name = "loss"
    loss.backward()
    return draw(loss, tensors="stats").save(out / "network.svg")


def digit(out: Path) -> Path:
    """An input of the network, and the gradient of the loss by each pixel."""
    trained, images, labels = _network()
    image = Tensor(images[0].reshape(28, 28), "digit")
    scores = trained(reshape(image, (1, 784)))
    loss = softmax_cross_entropy(scores, labels[:1])
    loss.name = "loss"
    loss.backward()
    return draw(loss, tensors="image", depth=0, constants=False).save(out / "digit.png")


def _root(a: Any) -> Any:
    """Return the square root of `a` by Newton's method."""
    x = a
    while abs(x * x - a) > 0.1:
        x = (x + a / x) / 2
    return x


def program(out: Path) -> Path:
    """A compiled function at a point: its calls, line by line, and what the data decided."""
    return draw(jit(_root).program(2.0).at(2.0)).save(out / "program.svg")


PICTURES: dict[str, Callable[[Path], Path]] = {
    picture.__name__: picture
    for picture in (price, names, partials, downwards, boxes, pendulum, program, network, digit)
}


def main(argv: list[str] | None = None) -> None:
    """Draw the named pictures, or all."""
    parser = options("gallery", __doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"any of {', '.join(PICTURES)}")
    given = parser.parse_args(argv)
    unknown = [name for name in given.names if name not in PICTURES]
    if unknown:
        parser.error(f"there is no picture {unknown[0]!r}: choose among {', '.join(PICTURES)}")
    out = folder(given.out)
    for name in given.names or PICTURES:
        print(f"{name:<10} {PICTURES[name](out)}")


if __name__ == "__main__":
    main()
