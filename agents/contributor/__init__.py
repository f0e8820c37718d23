"""A contributor to draws of experts: commits a random number, reveals it after the witnessed seal (ED1 D6, D7)."""
