"""The single writer of the log (AL1 L5): loop, queue, files, start-up audit, witnesses."""
