"""The other sides of practice tenders: the platform plays agency, supervisor, custodians and station (ADR 0061)."""
