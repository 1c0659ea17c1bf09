"""The words and the rules: no storage, no web, no clock."""
