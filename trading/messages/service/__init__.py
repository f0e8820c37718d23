"""Putting mail into the outbox, and delivering it."""
