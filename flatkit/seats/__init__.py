"""Seats: a room of learners on one Linux host. JupyterHub and traefik do the work; here is what they lack.

A seat is a Unix user of the host. `up` makes a room, `supervisor` keeps it running, `login` decides who may sit down.
Only `authenticator`, `spawner`, `proxy` and `hub_config` run inside the hub and import it.
"""
