"""Personal data: the live conversations and their turns, kept no longer than they are needed."""
