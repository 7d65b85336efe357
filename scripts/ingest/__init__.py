"""The ways in: SFTP, AppStream and imports. Never imports cdktf."""
