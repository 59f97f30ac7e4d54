"""Client library for the SEC1000/S protocol (docs/protocol.md). Imports nothing of Home Assistant."""
