"""How alike architectures are: alignment, population matrices, diversity."""
