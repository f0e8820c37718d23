"""When a lamp is red, yellow or green. Pure."""
