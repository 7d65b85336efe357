"""What tests against the local AWS share, ours and those of whoever rehearses on it: fixtures and helpers."""
