"""What operators do on the command line; `cli` puts the commands together."""
