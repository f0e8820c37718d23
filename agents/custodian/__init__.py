"""The custodian agent ``mingbiao custodian``: keeps one share key per lot, answers only what SB1 S9 and S13 allow."""
