"""Screenshots of the README, taken from the running demo."""
