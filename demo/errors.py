"""Errors of the demo, each with a sentence for the user."""


class DemoError(Exception):
    """The demo failed; exit status 1."""


class RefusedError(DemoError):
    """The demo cannot start as requested, and has started nothing; exit status 2."""
