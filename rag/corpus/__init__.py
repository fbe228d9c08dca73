"""Documents to articles: readers, layouts, sentences, words. Knows nothing of indexes and answers."""
