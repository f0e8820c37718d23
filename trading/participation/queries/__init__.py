"""Read side of the bidder's desk: own tenders and acts, and the values that its pages show."""
