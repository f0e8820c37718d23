"""The offline verifier: checks receipts and bundles without the platform, its code or a network (AL1 L12).

Every module here imports only the standard library (3.9 or newer) and ``cryptography`` (44 or newer). Nothing is
shared with ``trading``: an error there must not be able to hide itself here. ``verifier.build`` makes one file of it.
"""
