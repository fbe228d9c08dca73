"""Articles to a searchable index version, and back. Knows nothing of questions."""
