"""Search spaces: one file a space, free of torch; `networks/` holds their torch halves."""
