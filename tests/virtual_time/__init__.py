"""Tests with the standard timing, in virtual time."""
