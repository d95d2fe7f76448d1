"""Ignition's own rules for a config (its config/v3_3 and v3_4 types), which Butane applies to what it has made."""
