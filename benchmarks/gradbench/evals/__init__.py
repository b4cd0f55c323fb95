"""One module for each eval: `workload(*sizes)`."""
