"""Does a copy carry its mentor's mark? Tests, and words for what they find."""
