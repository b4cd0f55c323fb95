"""Ways to look at a graph; each reads it and changes nothing."""
