"""Readers: the user's image files, decoded once into one memory-mapped uint8 array."""
