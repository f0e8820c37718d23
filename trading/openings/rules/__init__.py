"""Rules of the opening ceremony (SB1 S9, S10): pure values and functions."""
