"""Settings for every test."""

import os

import pytest
from hypothesis import HealthCheck, Phase, settings

os.environ.setdefault("MPLBACKEND", "Agg")
# keep our own frames in tracebacks
os.environ.setdefault("AUTODIFF_TRACEBACKS", "full")
# the matrices of tests are small: BLAS threads would only wait for each other
for library in ("OMP", "OPENBLAS", "MKL"):
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")

# no deadline, since timing does not matter here; derandomize, so that failures can be repeated
settings.register_profile(
    "repeatable",
    max_examples=5,
    deadline=None,
    derandomize=True,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],  # fails on a busy machine
    # skip Phase.explain: failed checks explain themselves, and it takes long
    phases=[phase for phase in Phase if phase is not Phase.explain],
)
for profile, examples in (("deep", 50), ("thorough", 200)):
    settings.register_profile(profile, settings.get_profile("repeatable"), max_examples=examples)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads its option
def pytest_cmdline_main(config):
    """Use all cores for the whole suite; run chosen or debugged tests in this process."""
    by_hand = config.args_source is pytest.Config.ArgsSource.ARGS or any(
        config.getoption(name, None)
        for name in ("keyword", "markexpr", "lf", "usepdb", "trace", "collectonly")
    )
    by_hand |= config.getoption("capture") == "no"
    worker = hasattr(config, "workerinput")
    if not (by_hand or worker) and config.getoption("numprocesses", 0) is None:
        config.option.numprocesses = "auto"
