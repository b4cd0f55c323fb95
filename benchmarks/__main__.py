"""Run the named benchmarks, or all, each in a fresh interpreter with pinned threads.

BLAS, OpenMP and XLA read their thread settings from the environment when they load, so a child
process with these settings does the timing. The default is one thread: on a busy machine, more
threads would measure the scheduler.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path

BENCHMARKS = {
    "training_step": "one step of the network 784-50-10, batch of 100, float32",
    "in_place": "such a step on arrays changed in place, against read-only arrays",
    "scalar_mlp": "build and backward of a scalar MLP 2-16-16-1, one sample",
    "large_expression": "gradient of an expression in 10^6 numbers, float64",
    "jacobian": "Jacobian of R^100 to R^100 and Hessian of R^50 to R, dense, float64",
    "overhead": "cost of one operation on 10 numbers, forward and gradient",
    "conv": "two-dimensional convolution of images, forward and both gradients, float32",
    "import_time": "import autodiff against import numpy",
    "accelerator": "compiled derivatives through JAX, on a GPU or TPU if there is one, float64",
    "long_chain": "a chain of a million scalar nodes: build, backward, free",
    "gradbench": "the evals of the GradBench suite; rows and options follow its name",
}
PEERS = ("numpy", "torch", "jax", "autograd", "mygrad", "micrograd")


def pinned(threads: int) -> dict[str, str]:
    """Return an environment that sets the number of threads of every library."""
    libraries = ("OMP", "OPENBLAS", "MKL", "BLIS", "VECLIB_MAXIMUM", "NUMEXPR")
    limits = {f"{library}_NUM_THREADS": str(threads) for library in libraries}
    eigen = str(threads > 1).lower()
    return {
        **os.environ,
        **limits,
        "NPROC": str(threads),  # the size of XLA's own pool
        "XLA_FLAGS": f"--xla_cpu_multi_thread_eigen={eigen}",
        "JAX_PLATFORMS": "cpu",
    }


def machine(threads: int) -> str:
    """Return the processor, the versions and the number of threads, as text."""
    versions = []
    for peer in PEERS:
        try:
            versions.append(f"{peer} {metadata.version(peer)}")
        except metadata.PackageNotFoundError:
            versions.append(f"{peer} not installed")
    return "\n".join(
        [
            f"{os.cpu_count()} CPUs ({_processor()}), {platform.system()} {platform.machine()}, "
            f"{platform.python_implementation()} {platform.python_version()}",
            ", ".join(versions),
            f"threads: {threads} each for BLAS, OpenMP, PyTorch and XLA",
        ]
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or "unknown"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help="; ".join(f"{name}: {line}" for name, line in BENCHMARKS.items()) + " (default: all)",
    )
    parser.add_argument("--rounds", type=int, help="rounds (default: set by each benchmark)")
    parser.add_argument("--threads", type=int, default=1, help="threads per library (default: 1)")
    options, further = parser.parse_known_args()
    if "gradbench" in options.names:
        at = options.names.index("gradbench")
        further = options.names[at + 1 :] + further
        options.names = options.names[: at + 1]
    elif further:
        parser.error(f"unrecognized arguments: {' '.join(further)}")
    if unknown := set(options.names) - set(BENCHMARKS):
        parser.error(
            f"there is no benchmark {', '.join(sorted(unknown))}: choose among "
            f"{', '.join(BENCHMARKS)}"
        )
    if options.rounds is not None and options.rounds < 2:
        parser.error("--rounds must be at least 2, for quartiles")
    print(machine(options.threads), flush=True)
    failed = 0
    for name in options.names or BENCHMARKS:
        print(f"\n{name}: {BENCHMARKS[name]}", flush=True)
        command = [sys.executable, "-m", f"benchmarks.{name}"]
        if name == "gradbench":
            command += [f"--rounds={options.rounds}"] if options.rounds else []
            command += further
        elif options.rounds:
            command.append(str(options.rounds))
        environment = pinned(options.threads)
        if name == "accelerator":
            del environment["JAX_PLATFORMS"]
        failed += subprocess.run(command, env=environment).returncode != 0
    return failed


if __name__ == "__main__":
    sys.exit(main())
