"""One file per table or figure of the papers: ours beside the published number."""
