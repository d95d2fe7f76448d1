"""The lab image: a small OS built here from Debian packages, with Flatcar's mechanics made of the real parts."""
