"""The blueprints, as automations in a real Home Assistant with a device on a socket, in virtual time."""
