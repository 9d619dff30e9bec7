"""How fast this is: against what the arithmetic costs, with growing pools, and beside what people use now."""
