"""SFTP by AWS Transfer Family onto the OMERO file system: endpoint, host keys, senders, logs."""
