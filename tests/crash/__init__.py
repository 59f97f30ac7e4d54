"""The export limit survives every way in which Home Assistant can end."""
