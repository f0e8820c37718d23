"""One buying procedure with its lots, from draft to close."""
