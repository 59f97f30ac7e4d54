"""Measured values that must be known."""


def known[T](value: T | None) -> T:
    """Return a value of a device that reports nothing impossible."""
    assert value is not None
    return value
