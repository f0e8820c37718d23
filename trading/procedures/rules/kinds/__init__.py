"""One frozen value per kind of procedure."""
