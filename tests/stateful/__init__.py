"""Random lives of Home Assistant and a device: the control stays true, whatever overlaps and ends."""
