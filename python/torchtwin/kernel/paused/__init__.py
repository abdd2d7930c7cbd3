"""What a person sees of a frame that a debugger has stopped, or that has raised: its tensors, and what comes next."""
