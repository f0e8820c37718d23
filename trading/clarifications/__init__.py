"""Questions of bidders and the answers given to all of them alike (DOC-17, DOC-18)."""
