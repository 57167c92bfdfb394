"""Recipes and one readable training loop."""
