"""The export limit survives whatever ends Home Assistant."""
