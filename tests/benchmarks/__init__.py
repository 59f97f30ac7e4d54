"""Benchmarks of the integration. No test depends on the times measured."""
