"""End-to-end tests: Home Assistant's pages in a browser, with a simulated device."""
