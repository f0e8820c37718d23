"""What opened files are and what is wrong with them, found in a process that can do nothing else (F46, F47)."""
