"""Measurements, each a ratio taken within one run: `python -m benchmarks [NAME ...]`."""
