"""Servers that come with the product: PostgreSQL and Valkey, started on private sockets (ADR 0008)."""
