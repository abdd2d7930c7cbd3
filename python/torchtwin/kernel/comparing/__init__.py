"""Any two results held against each other: where they come from, what that proves, and what explains a difference."""
