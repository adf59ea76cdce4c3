"""Figures: an unmodified program on the minion, and the same one on the kernel's loopback."""
