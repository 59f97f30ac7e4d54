"""What is told OK holds, and the newest command wins, whatever overlaps or fails."""
