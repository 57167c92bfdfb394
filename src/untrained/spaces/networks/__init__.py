"""The networks of the spaces: one file a space, imported inside `Space.build`."""
