"""The ways in: SFTP, AppStream and imports. `deployment` is a workspace that is deployed, as they all see it."""
