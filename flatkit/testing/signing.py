"""An OpenPGP key that signs the files of a local release server: a primary key and a subkey, like Flatcar's."""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path
from types import TracebackType

from flatkit.run import run
from flatkit.untrusted import lines_of


class SigningKey:
    """`with SigningKey() as key:` makes a primary key that certifies and a subkey that signs; gone when the block ends.

    `at` pretends that it was made then (YYYYMMDD); `expires` is the subkey's end in gpg's words, such as 2y, and `kind` its name
    of the algorithm, such as rsa4096.
    """

    def __init__(
        self, *, name: str = "Test <test@flatkit.invalid>", at: str = "", expires: str = "2y", kind: str = "ed25519"
    ) -> None:
        # A short path: the agent's socket is in it.
        self._home = Path(tempfile.mkdtemp(prefix="fk-"))
        self._at, self._kind = at, kind
        self._gpg("--quick-generate-key", name, kind, "cert", "0", at=at)
        self.primary = self._fingerprints()[0]
        self.subkey = self.add_subkey(expires=expires, at=at)

    def __enter__(self) -> SigningKey:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the agent that gpg started, and forget the key."""
        run(["gpgconf", "--homedir", self._home, "--kill", "all"], check=False)
        shutil.rmtree(self._home, ignore_errors=True)

    def add_subkey(self, *, expires: str = "2y", at: str = "") -> str:
        """One more signing subkey; returns its fingerprint. From now on it signs."""
        self._gpg("--quick-add-key", self.primary, self._kind, "sign", expires, at=at)
        self.subkey = self._fingerprints()[-1]
        return self.subkey

    def set_end(self, end: str, *, at: str) -> None:
        """Let the newest subkey end on a day (YYYYMMDD), as decided on the day `at`."""
        self._gpg("--quick-set-expire", self.primary, f"{end}T120000", self.subkey, at=at)

    def public(self) -> bytes:
        """The public key, armoured, as Flatcar publishes its own."""
        return self._gpg("--armor", "--export", self.primary).encode()

    def sign(self, path: Path, *, at: str = "") -> bytes:
        """A detached binary signature of a file, as the build of Flatcar makes it (FILE.sig)."""
        target = self._home / "signature"
        target.unlink(missing_ok=True)
        self._gpg(
            "--local-user", f"{self.subkey}!", "--output", str(target), "--detach-sign", str(path), at=at or self._at
        )
        return target.read_bytes()

    def revoke(self, fingerprint: str) -> None:
        """Revoke a subkey."""
        listing = self._gpg("--with-colons", "--list-keys")
        subkeys = [line.split(":")[9] for line in _after(listing, "sub") if line.startswith("fpr")]
        number = subkeys.index(fingerprint) + 1
        self._gpg("--command-fd", "0", "--edit-key", self.primary, data=f"key {number}\nrevkey\ny\n0\n\ny\nsave\n")

    def _fingerprints(self) -> list[str]:
        return re.findall(r"^fpr:+([0-9A-F]{40}):", self._gpg("--with-colons", "--list-keys"), re.MULTILINE)

    def _gpg(self, *words: str, at: str = "", data: str = "") -> str:
        faked = ["--faked-system-time", f"{at}T120000!"] if at else []
        return run(
            ["gpg", "--homedir", self._home, "--batch", "--no-tty", "--yes", "--pinentry-mode", "loopback", "--passphrase", "",
             *faked, *words],
            input=data, timeout=120, env={"LC_ALL": "C"},
        ).stdout  # fmt: skip


def _after(listing: str, record: str) -> list[str]:
    """The lines that follow directly on each record of a kind."""
    lines = lines_of(listing)
    return [lines[at + 1] for at, line in enumerate(lines[:-1]) if line.startswith(f"{record}:")]
