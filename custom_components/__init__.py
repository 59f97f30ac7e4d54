"""Where Home Assistant and its test harness look for custom integrations."""
