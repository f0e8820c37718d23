"""Use cases of the pool."""
