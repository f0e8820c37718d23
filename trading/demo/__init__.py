"""The demonstration: one tender played by everybody in it, and past tenders replayed through the same path (P13)."""
