"""Tests that let hours go by: real pauses and deadlines, in virtual time."""
