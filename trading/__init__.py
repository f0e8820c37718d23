"""Mingbiao (明标): a public resource trading platform that need not be trusted."""
