"""Programs of bidders, custodians, stations and witnesses; they share formats and rules, no server."""
