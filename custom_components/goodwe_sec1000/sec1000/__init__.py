"""The SEC1000/S on the wire: bytes, watts and good manners. Knows no Home Assistant."""
