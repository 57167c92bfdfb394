"""Image sets from anywhere, and batches of them."""
