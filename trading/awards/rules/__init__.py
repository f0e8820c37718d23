"""Pure rules of the award pages."""
