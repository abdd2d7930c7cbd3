"""Scripts and jobs without a notebook: run under watch, and what they recorded, in files."""
