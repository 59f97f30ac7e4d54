"""Why the demo cannot start or go on, as a sentence for whoever started it."""


class DemoError(Exception):
    """Something went wrong after the start; exit status 1."""


class RefusedError(DemoError):
    """The demo was asked for something that cannot be, and has started nothing; exit status 2."""
