"""What a contract says, and until when it may be signed: pure rules."""
