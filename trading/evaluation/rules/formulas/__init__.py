"""One module for each family of formulas (B10.5). Pure functions over integers and exact fractions; no float, no I/O.

Every function states where it rounds. Numbers of the law come from the edition, choices from the documents; neither
stands here.
"""
