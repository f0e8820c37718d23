"""The write path: every change is an entry first, every entry becomes a leaf of one witnessed log (AL1)."""
