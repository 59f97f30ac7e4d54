"""Migration of installations of the older integration."""
