"""Live web pages over a study, read-only."""
