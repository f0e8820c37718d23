"""JSON interfaces: they parse, call the same services as the pages, and render."""
