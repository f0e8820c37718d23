"""Version 1 of the public and the bidders' interface."""
