"""Foreign history: what other platforms published in OCDS, kept apart from the record of this one."""
