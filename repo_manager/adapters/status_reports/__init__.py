"""Reports of servers, and looks at them: how they are sent, kept, gathered and taken."""
