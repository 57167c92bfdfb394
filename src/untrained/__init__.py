"""Neural architecture search without training."""
