"""A run while it trains: in the terminal, drawn again and again, and as a page that is read again."""
