"""Pages of committees and draws: centre and supervisor, agency, experts, public."""
