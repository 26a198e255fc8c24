"""What people may choose from now, and what an admin sees of it."""
