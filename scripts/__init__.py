"""What people run from a shell. Never imports cdktf."""
