"""The expert draw as pure functions: documents, order, seed, walk (protocol ED1). No database, no crypto library."""
