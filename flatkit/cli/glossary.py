"""`flatkit glossary [WORD]`: the course's terms, one plain sentence each."""

from __future__ import annotations

import argparse


def run(argv: list[str]) -> int:
    """Print one term, or all of them."""
    from flatkit.lessons.glossary import get_term, glossary

    parser = argparse.ArgumentParser(
        prog="flatkit glossary", description="The course's words, one plain sentence each."
    )
    parser.add_argument("word", nargs="*")
    options = parser.parse_args(argv[1:])
    terms = (get_term(" ".join(options.word)),) if options.word else glossary()
    for term in terms:
        print(term)
    return 0
