"""Accounts, API tokens and one-time challenges: technical state, never evidence."""
