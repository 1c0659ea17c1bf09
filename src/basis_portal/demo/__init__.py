"""What `basis-portal demo` shows: an invented seller (`seller`), printed (`view`, `tour`)."""
