"""The program: its vocabulary, its draft, its editions, and what they are worth."""
