"""The public directory: offices, networks, courses, hotlines and places, in SQL."""
