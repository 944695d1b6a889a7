"""A core: pre-decoded instructions, interpreted with their timing."""
