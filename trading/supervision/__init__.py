"""Watching over time limits, papers to sign and the log as it grows; above every noun whose records it reads."""
