"""Documents about keys. Pure."""
