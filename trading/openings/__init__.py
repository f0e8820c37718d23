"""The opening: order, share check, factor window, release, read-out, record."""
