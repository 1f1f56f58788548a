"""The commands, one a file, all alike: parse, call the library, show, exit code."""
