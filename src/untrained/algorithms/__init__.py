"""Search algorithms: they know architectures and scores, never networks."""
