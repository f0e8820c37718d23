"""Pure rules of the bidder's desk."""
