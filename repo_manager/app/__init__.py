"""Use cases: what the commands, the web server, the demo and the tests call."""
