"""What the tool says: values of the core to tables for people, JSON and CSV for programs."""
