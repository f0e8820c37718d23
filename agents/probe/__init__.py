"""The synthetic bidder of a vantage point (TE1 T6)."""
