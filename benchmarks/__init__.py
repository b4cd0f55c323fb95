"""Ours beside the peers, in one interleaved run: `python -m benchmarks`."""
