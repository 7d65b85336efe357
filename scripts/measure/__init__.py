"""What measures: seconds and memory, and what checkov finds."""
