"""What makes a code, a password or a membership acceptable. Pure."""
