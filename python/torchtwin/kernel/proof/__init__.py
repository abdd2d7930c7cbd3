"""The arithmetic of a verdict: what is exact, and how far honest results may lie from it."""
