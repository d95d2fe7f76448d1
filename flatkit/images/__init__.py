"""Bootable images: the lab image, Flatcar's images, and disk images by their path."""

from __future__ import annotations

from flatkit.images.image import Image, ImageKind, find_image

__all__ = ["Image", "ImageKind", "find_image"]
