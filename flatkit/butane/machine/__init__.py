"""The machine that gets a config: what Flatcar's image has (data), and how systemd reads a unit. Pure."""
