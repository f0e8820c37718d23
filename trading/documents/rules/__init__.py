"""Which files may be tender documents: pure rules."""
