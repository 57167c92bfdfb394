"""Training-free metrics: one file a metric, a formula over a `Probe`."""
