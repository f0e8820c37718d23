"""What measurements share: the machine, a platform that is gone afterwards, processes and their load."""
