"""One call to a model: admitted, made, counted, settled."""
