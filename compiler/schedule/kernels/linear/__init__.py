"""The kernel of products with weights."""
