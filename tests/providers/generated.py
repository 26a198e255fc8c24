"""How generated tests run here: few examples of each, no clock (the machine may be busy), nothing stored."""

from hypothesis import settings

generated = settings(deadline=None, max_examples=50, database=None)
