"""The law as data: dated, cited rows that become a frozen edition per procedure."""
