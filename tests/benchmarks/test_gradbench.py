"""The workloads of `benchmarks.gradbench`: all tools agree; the tables say what a run measured.

JAX compiles for long, so that it takes part in few rows, except with HYPOTHESIS_PROFILE=thorough.
"""

import json
import os
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))  # benchmarks/ is in no wheel

from benchmarks.gradbench import report
from benchmarks.gradbench.contest import Contestant, Disagreement, compare, entered
from benchmarks.gradbench.evals import particle
from benchmarks.gradbench.page import markdown
from benchmarks.gradbench.plot import plot
from benchmarks.gradbench.rows import ROWS, chosen
from benchmarks.gradbench.targets import verdicts
from benchmarks.gradbench.tools import BACKENDS, JAX, Tool, available

WITH_JAX = ("hello", "ba", "kmeans", "ode-10", "det", "saddle", "particle")
THOROUGH = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"
ONCE = {row.workload: name for name, row in reversed(ROWS.items())}.values()
"""One row of each workload, as tiny sizes do not differ."""
HAND = "NumPy by hand"


@pytest.fixture(scope="module")
def tools():
    return available(slow=False)[0]


@pytest.mark.filterwarnings("ignore:`torch.jit.script`:DeprecationWarning")  # by PyTorch itself
@pytest.mark.parametrize("name", sorted(ONCE))
def test_all_tools_agree(name, tools):
    taking_part = {
        tool: it for tool, it in tools.items() if tool != JAX or name in WITH_JAX or THOROUGH
    }
    workload = ROWS[name].workload(*ROWS[name].tiny)
    contestants, skipped = entered(workload, taking_part)
    assert not skipped
    compare(name, contestants, workload.rtol)
    assert np.abs(contestants["autodiff"].result).max() > 0


@pytest.mark.parametrize(
    "wrong", [np.array([1.0, 2.0 + 1e-6]), np.array([1.0, np.nan]), np.ones(1)]
)
def test_a_disagreement_names_the_row_and_the_tools(wrong):
    def contestant(result):
        return Contestant(lambda: result, 0.0, result)

    right = contestant(np.array([1.0, 2.0]))
    compare("lse", {"autodiff": right, JAX: right}, 1e-9)
    with pytest.raises(Disagreement, match=f"lse: {JAX}.* autodiff"):
        compare("lse", {"autodiff": right, JAX: contestant(wrong)}, 1e-9)


def test_the_particle_hits_the_origin_at_the_suites_solution():
    def numerical(f, _):
        h = 1e-6

        def gradient(x, y, w):
            by_x = f(x + h, y, w) - f(x - h, y, w)
            by_y = f(x, y + h, w) - f(x, y - h, w)
            return by_x / (2 * h), by_y / (2 * h)

        return gradient

    miss = partial(particle.miss, Tool.loop_while, numerical, 0.1)
    assert miss(0.2071918746486116) < 1e-6 < miss(0.2)


def test_rows_are_chosen_by_the_beginning_of_their_names():
    assert list(chosen(["ode-10", "lse"])) == ["lse", "ode-10", "ode-1000"]
    assert chosen([]) == ROWS
    with pytest.raises(ValueError, match=r"no row 'lsq': choose among hello, "):
        chosen(["lsq"])


def a_run():
    """A run of two rows, with times in ns: 10, 15, 20 and 5 µs."""
    medians = {"autodiff": 20e3, "autodiff numpy": 15e3, JAX: 10e3, HAND: 5e3}
    tools = {
        name: {
            "median": time,
            "quartiles": [time] * 3,
            "first": 1.0 if name == JAX else 0.01,
            "ratios": {other: time / its for other, its in medians.items()},
        }
        for name, time in medians.items()
    }
    tools[HAND]["peak"] = 3_000_000
    row = {"what": "…", "kind": "scalars", "rtol": 1e-9, "nodes": 40, "skipped": {}}
    return {
        "machine": "a machine",
        "load": [0.5, 1.5],
        "limits": {"copy": 10.0},
        "skipped": {"PyTorch eager": "torch not installed"},
        "rows": {name: {**row, "tools": tools} for name in ("det", "scalar-net")},
    }


def test_targets_are_met_or_missed():
    det, net = (
        {it.what: (it.value, it.word) for it in verdicts(name, row)}
        for name, row in a_run()["rows"].items()
    )
    assert det == {
        f"numpy / {JAX}": (1.5, "met"),
        f"best / {JAX}": (1.5, "MISSED"),
        f"first call / {JAX}": (0.01, "met"),
    }
    assert net["numpy, ns a node"] == (375, "MISSED")


def test_tables_page_and_plot_show_a_run(tmp_path):
    run = json.loads(json.dumps(a_run()))
    assert report.ratios(run)[1] == ("det", "10", "2.00", "1.50", "0.50")
    assert report.memory(run)[1] == ("det", "–", "–", "–", "3.00")
    page = markdown(run)
    assert "| det | 10 | 2.00 | 1.50 | 0.50 |" in page
    assert "- PyTorch eager: torch not installed" in page
    assert "500 ns" in page
    assert "as long as 500 (500 – 500) eager calls" in page
    pytest.importorskip("matplotlib")
    plot(run, tmp_path / "ratios.svg")
    assert "<!-- scalar-net -->" in (tmp_path / "ratios.svg").read_text("utf-8")


def test_every_back_end_of_jit_is_a_contestant():
    from autodiff.programs.backends import EXTRAS

    assert set(EXTRAS) <= set(BACKENDS.values())
