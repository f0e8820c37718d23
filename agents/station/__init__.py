"""The opening station ``mingbiao station``: one key for one ceremony, combine all before opening any (SB1 S9, S14)."""
