"""The blueprints as automations of a real Home Assistant with a simulated device, in virtual time."""
