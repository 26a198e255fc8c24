"""How providers and credentials fare, and what monitoring is told of it."""
