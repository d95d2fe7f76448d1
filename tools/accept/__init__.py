"""Acceptance of an image: every demo and golden command on it, as evidence for the table of docs/fidelity.md."""
