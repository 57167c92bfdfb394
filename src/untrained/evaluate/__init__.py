"""From an architecture to values: training-free, looked up, trained, measured."""
