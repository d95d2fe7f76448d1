"""A room without the Internet: `pack` gathers what it needs, `check` proves that it suffices, `serve` gives it to the seats."""
