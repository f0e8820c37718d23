"""Pure rules of statistics: from releases to figures."""
