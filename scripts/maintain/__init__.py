"""What keeps the checkout current: lock files and the schema of workspace files."""
