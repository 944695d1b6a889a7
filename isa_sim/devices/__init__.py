"""What is behind the peripheral interconnect, and completions of its work."""
