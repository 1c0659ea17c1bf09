"""Where the portal's state is kept: in memory, or in an SQLite file."""
