"""What watching costs, and what others that look on cost at the same work."""
