"""The parts of the screen, one noun a file; none of them knows the store."""
