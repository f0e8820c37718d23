"""Arithmetic and order of opened bids: pure, exact, recomputable by anyone from the published record."""
