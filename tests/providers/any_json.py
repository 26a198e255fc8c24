"""Any JSON at all, and JSON whose keys are those that a reader looks for."""

from __future__ import annotations

from hypothesis import strategies as st

LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
any_json = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


def with_keys(*names: str) -> st.SearchStrategy[object]:
    """Values nested at will, whose objects have these keys."""
    keys = st.sampled_from(names)
    return st.recursive(
        LEAVES,
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(keys, inner, max_size=4),
        max_leaves=12,
    )
