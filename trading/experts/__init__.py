"""Experts: the register and its pool, and the draw of a committee by lot (ED1)."""
