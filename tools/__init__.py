"""What a model may call: built-in tools, tool servers, and who may use them."""
