"""Entries of the older integration of this domain, migrated once."""
