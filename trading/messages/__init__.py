"""Mail to people: composed in both languages, sealed in the outbox, delivered by the contact service."""
