"""Ground truth by architecture."""
