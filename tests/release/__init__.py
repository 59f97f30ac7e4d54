"""What is released: the checks before, the zip, and that it can be installed."""
