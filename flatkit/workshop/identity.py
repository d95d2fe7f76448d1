"""Whether a machine is what its image was fetched as: no signature says which version a file is, but the machine does.

A mirror could pass off an old image, rightly signed, as a newer one; its first login tells.
"""

from __future__ import annotations

from flatkit.errors import ImageError
from flatkit.events import Observer, Said
from flatkit.images import Image

ASK = '. /etc/os-release && echo "$ID $VERSION_ID"'


def check_identity(image: Image, answer: str, *, machine: str, observer: Observer) -> None:
    """Compare what a new machine answers to ASK with the version that its image was fetched as.

    Raises ImageError when it is another version of Flatcar; what does not call itself Flatcar is said.
    """
    name, _, version = answer.strip().partition(" ")
    if name != "flatcar":
        observer.notify(Said(text=f'the machine does not call itself Flatcar: it says "{answer.strip()}"'))
    elif version != image.version:
        raise ImageError(
            f'the image was fetched as Flatcar "{image.version}", and the machine says that it is "{version}": not trusted',
            hint=f"flatkit down {machine}, then: flatkit images rm {image.version}   (and tell whoever runs the server)",
        )
