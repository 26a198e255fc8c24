"""Models and endpoints as this installation knows and offers them."""
