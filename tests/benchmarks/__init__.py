"""What the integration costs, and how the cost grows: measured, never asserted by the clock."""
