"""Periods, sheets and manifests of bulk files. Pure."""
