"""Operations, blocks, initialisers and counts: torch, but no knowledge of any space."""
