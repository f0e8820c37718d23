"""The words of mails, in both languages: nothing of a project, a bidder or another person stands in them."""
