"""Where samples come from: open volumes, the places in them that suit, what is kept in memory."""
