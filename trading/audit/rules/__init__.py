"""Formats and arithmetic of the log: pure Python, nothing but the standard library and ``trading.kernel``."""
