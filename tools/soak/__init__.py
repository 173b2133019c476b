"""The service through a long time in which everything breaks, in real time, and a count of what it said."""
