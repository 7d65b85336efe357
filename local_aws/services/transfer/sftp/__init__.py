"""The data plane: SFTP on 127.0.0.1, from one event loop in a thread of its own, for every server that is online."""
