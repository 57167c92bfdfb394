"""An untrained network under observation: each pass is run once and shared."""
