"""Rules of sealed bids (SB1 S3 to S7): documents, admission, content. Pure values and functions."""
