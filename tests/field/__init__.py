"""Reports from devices, replayed: what Home Assistant shows of each is compared with a file beside it."""
