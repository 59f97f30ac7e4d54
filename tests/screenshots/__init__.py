"""The pictures of the README, made anew from the running demo."""
