"""What was used and what it cost: sums, their sources, and how pages and files show them."""
