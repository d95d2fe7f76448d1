"""Updates: what the slots say, and the server side of an update (payload, Omaha, the only listening socket)."""
