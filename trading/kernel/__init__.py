"""Words every package shares; standard library only."""
