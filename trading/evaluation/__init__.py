"""Examination and ranking of opened bids."""
