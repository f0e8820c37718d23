"""Receipts for people: what a tlog-proof says, on a page to print that carries the proof itself (AL1 L8)."""
