"""The arithmetic of a verdict: what is exact, how far honest results may lie from it, and what a difference means."""
