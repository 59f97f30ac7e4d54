"""What is known of a device and kept between polls."""
