"""Sealed submission, replacement, withdrawal, receipts and the close."""
