"""What is allowed when in a procedure: pure rules over frozen values."""
