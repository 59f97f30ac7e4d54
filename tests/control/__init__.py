"""Actions, drift and restore against a simulated device."""
