"""The bidder's desk: followed tenders, the way of a bid lot by lot, what arrived, and what came of it (ux 6, 8, 9)."""
