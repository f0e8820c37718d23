"""What is shown to whom and when (SB1 S11), as bundles that anybody checks offline (AL1 L12)."""
