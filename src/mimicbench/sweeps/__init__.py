"""Many jobs of one command: where each works, how they run side by side, and what is shown meanwhile and at the end."""
