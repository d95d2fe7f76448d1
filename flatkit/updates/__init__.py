"""Updates: the state of the slots, and the server side of an update (payload, Omaha, the only listening socket)."""
