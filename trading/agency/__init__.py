"""The agency's desk: drafts, review, publication, correction, award and contract as pages for its two people."""
