"""Trained networks leave the house here."""
