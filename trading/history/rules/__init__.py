"""Reading foreign files piece by piece, and what is wrong with each row. Pure."""
