"""The loop: ask, evaluate, tell, record, resume."""
