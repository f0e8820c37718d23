"""Mail to people: composed here in both languages, sealed in the outbox, delivered once per row by the contact service."""
