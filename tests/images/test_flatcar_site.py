"""The pretended release server is held to the documents: its layout, and the two ways in which they teach to verify."""

from __future__ import annotations

import subprocess

from flatcar_parts import DATA, SOFTWARE

from flatkit import web
from flatkit.testing.flatcar_site import IMAGE


def test_the_files_of_a_release(site):
    folder = site.folder / "stable/amd64-usr/4593.2.5"
    names = {path.name for path in folder.iterdir()}
    assert names == {
        f"{file}{end}" for file in (IMAGE, "version.txt") for end in ("", ".sig", ".DIGESTS", ".DIGESTS.sig")
    }
    digests = (folder / f"{IMAGE}.DIGESTS").read_text().splitlines()
    assert [line for line in digests if line.startswith("#")] == ["# MD5 HASH", "# SHA1 HASH", "# SHA512 HASH"]
    assert (folder / "version.txt").read_text().startswith("FLATCAR_VERSION=4593.2.5\n")


def test_what_the_documents_teach_to_verify(site, tmp_path):
    # Flatcar's page "Verify Flatcar Container Linux images": import the key, fetch image and signature, gpg --verify.
    folder = site.folder / "stable/amd64-usr/4593.2.5"
    home = tmp_path / "gnupg"
    home.mkdir(mode=0o700)
    gpg = ["gpg", "--homedir", str(home), "--no-autostart"]
    subprocess.run([*gpg, "--import"], input=site.key.public(), check=True, capture_output=True)
    done = subprocess.run([*gpg, "--verify", f"{IMAGE}.sig"], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Good signature" in done.stderr
    last = (folder / f"{IMAGE}.DIGESTS").read_text().splitlines()[-1]
    done = subprocess.run(["sha512sum", "-c"], input=last, cwd=folder, capture_output=True, text=True)
    assert done.stdout == f"{IMAGE}: OK\n"


def test_it_serves_what_lies_in_its_folder(site):
    answer = web.get(f"{site.url}/stable/amd64-usr/4593.2.5/{IMAGE}", limit=10**7)
    assert (answer.data, answer.status) == (DATA, 200)
    with web.open_stream(answer.url, start=2_999_990, etag=answer.headers["etag"]) as stream:
        assert (stream.status, stream.start, stream.total, stream.read()) == (206, 2_999_990, 3_000_000, DATA[-10:])
    assert web.get(f"{site.url}/stable/amd64-usr/1.2.3/{IMAGE}").status == 404
    assert web.get(f"{site.url}/stable/releases-stable.json").text.count(SOFTWARE["kernel"]) == 3
