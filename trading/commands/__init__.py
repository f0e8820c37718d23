"""Commands of the platform's own people: service desk, agency, auditor. Each calls the same use cases as the pages."""
