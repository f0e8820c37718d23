"""Measurements: one module per `run.py bench NAME`, each with main(argv) that prints a last line of JSON."""
