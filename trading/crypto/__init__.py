"""Sealing and signing: the only importer of ``cryptography`` and ``pyrage`` (architecture §4, contract 6)."""
