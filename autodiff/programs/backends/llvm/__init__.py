"""Native code for what LLVM can compute, and NumPy for the rest."""
