"""Train the book's network, 784-50-10, on MNIST: accuracies per epoch, plot, graph."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from demos.show import Trouble, folder, load_digits, options, plot, save_graph
from nn import SGD, DataError, History, Row, TwoLayerNet, train

HEADING = "iteration   epoch      loss   train acc.   test acc."


def _parsed(argv: list[str] | None) -> Namespace:
    parser = options("mnist", __doc__)
    parser.add_argument("--data", metavar="DIR", help="a folder with the four MNIST files")
    parser.add_argument(
        "--iterations", type=int, default=10_000, metavar="N", help="default: 10000"
    )
    parser.add_argument("--seed", type=int, default=3, metavar="N", help="of weights and batches")
    parser.add_argument(
        "--resume",
        action="store_true",
        help="keep a checkpoint beside the results, and resume from it",
    )
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Train, report, plot, draw."""
    from tqdm import tqdm

    arguments = _parsed(argv)

    out = folder(arguments.out)
    digits = load_digits(arguments.data)
    data = {
        "train": (_floats(digits.train_images), digits.train_labels),
        "test": (_floats(digits.test_images), digits.test_labels),
    }
    rng = np.random.default_rng(arguments.seed)
    network = TwoLayerNet(784, 50, 10, weight_init_std=0.01, rng=rng, dtype=np.float32)

    def report(row: Row) -> None:
        tqdm.write(
            f"{row.iteration:9d}  {row.epoch:6.1f}  {row.loss:8.4f}   {row.train_accuracy:10.4f}"
            f"  {row.test_accuracy:10.4f}"
        )

    def progress(steps: range) -> Iterator[int]:
        if steps.start:
            print(f"resuming from iteration {steps.start}")
        return iter(tqdm(steps, unit="step", leave=False, initial=steps.start, total=steps.stop))

    print(HEADING)
    start = perf_counter()
    try:
        history = train(
            network,
            data["train"],
            data["test"],
            iterations=arguments.iterations,
            batch_size=100,
            optimiser=SGD(0.1),
            rng=rng,
            # an epoch of the full MNIST; one of the subset would give too many rows
            every=600,
            progress=progress,
            report=report,
            checkpoint=out / "mnist_checkpoint.npz" if arguments.resume else None,
        )
    except DataError as error:
        raise Trouble(str(error)) from error
    seconds = perf_counter() - start
    done = "interrupted" if history.interrupted else "done"
    print(f"{done} after {len(history.losses)} iterations, {seconds:.1f} s")
    for name, (x, t) in data.items():
        print(f"{name} accuracy {network.accuracy(x, t):.4f} on {len(x):,} images")
    if history.rows:
        plot_accuracies(history, out / "mnist_accuracy.png")
    x, t = data["train"]
    loss, _ = network.record(x[:100], t[:100])
    loss.name = "loss"
    loss.backward()
    save_graph(loss, out / "mnist_graph.svg")


def _floats(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    return images.reshape(len(images), -1).astype(np.float32) / np.float32(255)


def plot_accuracies(history: History, path: Path) -> None:
    """Plot both accuracies over the epochs."""
    epochs = [row.epoch for row in history.rows]
    with plot(path) as axes:
        axes.plot(epochs, [row.train_accuracy for row in history.rows], "-o", label="training")
        axes.plot(epochs, [row.test_accuracy for row in history.rows], "--s", label="test")
        axes.set(xlabel="epoch", ylabel="accuracy", ylim=(0, 1))
        axes.set_xlim(epochs[0] - 0.5, epochs[-1] + 0.5)
        axes.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
        axes.grid(alpha=0.3)
        axes.legend(frameon=False, loc="lower right")


if __name__ == "__main__":
    main()
