"""Plumbing shared by all views: language, permissions, errors, headers, limits, filters. Knows no business noun."""
