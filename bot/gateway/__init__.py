"""The public door: the chat API, the page, limits, health. Everything behind it listens on loopback only."""
