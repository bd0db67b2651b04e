"""One function over many blocks."""
