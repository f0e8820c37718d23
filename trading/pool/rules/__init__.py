"""Rules of the pool: pure."""
