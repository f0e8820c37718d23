"""Who keeps the opening keys: institutions, keys per lot, opening policies."""
