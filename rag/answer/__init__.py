"""Questions to checked answers. Knows its parts only through ports."""
