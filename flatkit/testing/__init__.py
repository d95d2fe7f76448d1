"""Fakes that ship with flatkit, for its own tests and for those of who builds on it.

`hypervisor.FakeHypervisor` keeps domains on libvirt's test driver; `guest.FakeGuest` writes a console and answers SSH.
"""
