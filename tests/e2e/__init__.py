"""The integration as a user meets it: Home Assistant's pages in a browser, a simulated device behind them."""
