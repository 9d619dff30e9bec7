"""Networks for mentors and students: images in [0, 1] to logits. One family a file."""
