"""An installation of the older integration moves in."""
