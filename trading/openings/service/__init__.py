"""Use cases of the ceremony, one module a step: documents, checks, factors, releases, results."""
