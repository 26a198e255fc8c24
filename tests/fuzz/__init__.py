"""Streams that no vendor would send, for everything that reads them.

test_streams.py is part of the suite. `python -m tests.fuzz.run` looks further, as long as it is let, led by
what of the readers has been reached.
"""
