"""The web process: what gateway and review share, and the application that mounts both."""
