"""What Windows has and nothing else: services, the registry, the Event Log, where the servers keep things."""
