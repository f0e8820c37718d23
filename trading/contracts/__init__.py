"""The contract that follows an award: drafted from it, signed by both parties, published, filed."""
