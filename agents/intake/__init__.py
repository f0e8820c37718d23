"""The supervisor's intake: takes sealed bids that the platform refuses or that cannot reach it (SB1 S7.6)."""
