"""What was typed at the desk, turned into a specification or into the list of what is still amiss: pure rules."""
