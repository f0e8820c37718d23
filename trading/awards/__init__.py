"""Who is awarded, and the decision's record."""
