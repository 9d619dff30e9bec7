"""A mentor behind a protection, as a server of the Open Inference Protocol."""
