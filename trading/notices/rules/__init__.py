"""Pure rules of what the public reads: where a lot stands, its timeline, what a correction changed."""
