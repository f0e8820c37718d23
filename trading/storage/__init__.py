"""Bytes on disk: objects under their digests, tiles of the log, its write-ahead log and its head (architecture 9)."""
