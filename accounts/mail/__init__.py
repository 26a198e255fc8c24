"""Mail: which server sends it, how it is reached, and whether that works."""
