"""What a difference comes from: wrong formulas and changed results that are tried, and the cause in words."""
