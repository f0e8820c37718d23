"""``mingbiao bid``: the bidder's command line. The plaintext of a bid never leaves this machine (SB1 S4 to S7, S9)."""
