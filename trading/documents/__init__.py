"""Signed documents that records name by their digest."""
