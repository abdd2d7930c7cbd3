"""What the court judges: honest pairs, mutants, and probes, all drawn from seeds."""
