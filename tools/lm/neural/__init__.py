"""A small neural language model that rescores finals, and how it is trained."""
