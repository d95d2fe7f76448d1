"""The lab image: a small OS built here from Debian packages, with Flatcar's mechanisms made of the real parts."""
