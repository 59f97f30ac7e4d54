"""What is written to the device, each command to its end."""
