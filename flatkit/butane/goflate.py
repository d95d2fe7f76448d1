"""How many bytes Go's compress/flate (level 9, up to Go 1.26) makes of a text: needed where Butane's choice hangs on it.

Counts bits and writes none. The rules are Go's: hash chains over four bytes, lazy matching by one byte, blocks of 16,384
tokens, the cheapest of stored, fixed and dynamic, and Huffman lengths by package-merge.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from typing import NamedTuple

_WINDOW = 32768
_MIN, _MAX = 4, 258
_AHEAD = _MIN + _MAX
_CHAIN = 4096
_BLOCK_TOKENS = 16384
_STORED_MAX = 65535
# What Go's search may cost here before we give up; it bounds the time to about half a second.
_MAX_STEPS = 600_000

_LENGTH_BASES = (
    3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258,
)  # fmt: skip
_LENGTH_EXTRA = (0,) * 8 + (1,) * 4 + (2,) * 4 + (3,) * 4 + (4,) * 4 + (5,) * 4 + (0,)
_OFFSET_BASES = (
    1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145,
    8193, 12289, 16385, 24577,
)  # fmt: skip
_OFFSET_EXTRA = (0, 0, *(bits for bits in range(14) for _ in range(2)))
_CODE_ORDER = (16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15)
_END_OF_BLOCK = 256


class TooMuchWork(Exception):
    """The text repeats itself so often that the search would take too long."""


class _Block(NamedTuple):
    """A block's tokens, counted; `size` is how many bytes of the text it covers, None when Go could not store it."""

    literals: Counter[int]
    offsets: Counter[int]
    size: int | None


def deflated_size(data: bytes) -> int:
    """The length of the deflate stream. Raises TooMuchWork."""
    bits = 0
    for block in _Matcher(data).blocks():
        bits = _add_block(block, bits)
    # Closing writes an empty stored block: three bits, the rest of the byte, two lengths.
    return (bits + 3 + 7) // 8 + 4


class _Matcher:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.head: dict[bytes, int] = {}
        self.previous: dict[int, int] = {}
        self.steps = 0
        self.base = 0
        self.finished: list[_Block] = []
        self.literals: Counter[int] = Counter()
        self.offsets: Counter[int] = Counter()
        self.tokens = 0
        self.block_start: int | None = 0

    def blocks(self) -> list[_Block]:
        """All blocks of the text."""
        self._run()
        return self.finished

    def _insert(self, at: int) -> int:
        key = self.data[at : at + 4]
        found = self.head.get(key, -1)
        self.previous[at] = found
        self.head[key] = at
        return found

    def _run(self) -> None:
        data, size = self.data, len(self.data)
        at = 0
        length, offset, pending, candidate = _MIN - 1, 0, False, -1
        end = min(size, 2 * _WINDOW)
        while True:
            if end - at < _AHEAD and end < size:
                # The window slides by half; what lies before it is lost.
                self.base += _WINDOW
                if self.block_start is not None and self.block_start < self.base:
                    self.block_start = None
                end = min(size, self.base + 2 * _WINDOW)
                continue
            if at >= end:
                break
            if at < end - (_MIN - 1):
                candidate = self._insert(at)
            before, before_offset = length, offset
            length, offset = _MIN - 1, 0
            if candidate >= max(at - _WINDOW, self.base) and before < end - at and before < _MAX:
                length, offset = self._search(at, candidate, min(_MAX, end - at))
            if before >= _MIN and length <= before:
                self._match(before, before_offset)
                for index in range(at + 1, at + before - 1):
                    if index < end - (_MIN - 1):
                        candidate = self._insert(index)
                at += before - 1
                pending, length = False, _MIN - 1
                self._flush_if_full(at)
            else:
                if pending:
                    self._literal(data[at - 1])
                    self._flush_if_full(at)
                at += 1
                pending = True
        if pending:
            self._literal(data[size - 1])
        if self.tokens:
            self._flush(size)

    def _search(self, at: int, candidate: int, limit: int) -> tuple[int, int]:
        data = self.data
        best, offset = _MIN - 1, 0
        lowest = max(at - _WINDOW, self.base)
        previous = self.previous
        for _ in range(_CHAIN):
            self.steps += 1
            if data[candidate + best] == data[at + best]:
                length = _match_length(data, candidate, at, limit)
                if length > best and (length > _MIN or at - candidate <= 4096):
                    best, offset = length, at - candidate
                    if length >= limit:
                        break
            if candidate == at - _WINDOW:
                break
            candidate = previous[candidate]
            if candidate < lowest:
                break
        if self.steps > _MAX_STEPS:
            raise TooMuchWork
        return best, offset

    def _literal(self, byte: int) -> None:
        self.literals[byte] += 1
        self.tokens += 1

    def _match(self, length: int, offset: int) -> None:
        self.literals[_END_OF_BLOCK + bisect_right(_LENGTH_BASES, length)] += 1
        self.offsets[bisect_right(_OFFSET_BASES, offset) - 1] += 1
        self.tokens += 1

    def _flush_if_full(self, at: int) -> None:
        if self.tokens == _BLOCK_TOKENS:
            self._flush(at)

    def _flush(self, at: int) -> None:
        size = None if self.block_start is None else at - self.block_start
        self.literals[_END_OF_BLOCK] = 1
        self.finished.append(_Block(self.literals, self.offsets, size))
        self.literals, self.offsets = Counter(), Counter()
        self.tokens, self.block_start = 0, at


def _match_length(data: bytes, one: int, other: int, limit: int) -> int:
    low, high = 0, limit
    if data[one : one + high] == data[other : other + high]:
        return high
    while high - low > 1:
        middle = (low + high) // 2
        if data[one : one + middle] == data[other : other + middle]:
            low = middle
        else:
            high = middle
    return low


# Sizes of blocks.


def _add_block(block: _Block, bits: int) -> int:
    """The bits after a block, in the cheapest form as Go judges it."""
    extra = sum(n * _LENGTH_EXTRA[code - 257] for code, n in block.literals.items() if code > _END_OF_BLOCK)
    extra += sum(n * _OFFSET_EXTRA[code] for code, n in block.offsets.items())
    best = min(_fixed_bits(block), _dynamic_bits(block))
    if block.size is not None and block.size <= _STORED_MAX and (block.size + 5) * 8 < best + extra:
        return ((bits + 3 + 7) // 8 + 4 + block.size) * 8
    return bits + best + extra


def _fixed_bits(block: _Block) -> int:
    bits = 3 + 5 * sum(block.offsets.values())
    for code, count in block.literals.items():
        bits += count * (8 if code < 144 or code >= 280 else 9 if code < 256 else 7)
    return bits


def _dynamic_bits(block: _Block) -> int:
    offsets = block.offsets or Counter({0: 1})
    literal_lengths, offset_lengths = _code_lengths(block.literals, 15), _code_lengths(offsets, 15)
    lengths = [literal_lengths.get(code, 0) for code in range(max(literal_lengths) + 1)]
    lengths += [offset_lengths.get(code, 0) for code in range(max(offset_lengths) + 1)]
    codes = _run_lengths(lengths)
    code_lengths = _code_lengths(codes, 7)
    used = max(4, 1 + max(at for at, code in enumerate(_CODE_ORDER) if codes[code]))
    bits = 17 + 3 * used + 2 * codes[16] + 3 * codes[17] + 7 * codes[18]
    for counts, sizes in ((codes, code_lengths), (block.literals, literal_lengths), (offsets, offset_lengths)):
        bits += sum(count * sizes[code] for code, count in counts.items())
    return bits


def _run_lengths(lengths: list[int]) -> Counter[int]:
    """How often each code of the code lengths' own alphabet is used."""
    used: Counter[int] = Counter()
    at = 0
    while at < len(lengths):
        value, count = lengths[at], 1
        while at + count < len(lengths) and lengths[at + count] == value:
            count += 1
        at += count
        if value:
            used[value] += 1
            count -= 1
            while count >= 3:
                used[16] += 1
                count -= min(6, count)
        else:
            while count >= 11:
                used[18] += 1
                count -= min(138, count)
            if count >= 3:
                used[17] += 1
                count = 0
        if count:
            used[value] += count
    return used


def _code_lengths(counts: Counter[int], limit: int) -> dict[int, int]:
    """Huffman code lengths of at most `limit` bits, by package-merge; of equals, a package goes before a leaf."""
    ordered = sorted((count, code) for code, count in counts.items() if count)
    leaves = [count for count, _ in ordered]
    if len(leaves) <= 2:
        return {code: 1 for _, code in ordered}
    limit = min(limit, len(leaves) - 1)
    rows: list[list[tuple[int, bool]]] = [[(leaf, True) for leaf in leaves]]
    for _ in range(limit - 1):
        below = rows[-1]
        pairs = [below[i][0] + below[i + 1][0] for i in range(0, len(below) - 1, 2)]
        rows.append(sorted([(pair, False) for pair in pairs] + [(leaf, True) for leaf in leaves]))
    lengths = [0] * len(leaves)
    wanted = 2 * len(leaves) - 2
    for row in reversed(rows):
        taken = row[:wanted]
        count = sum(is_leaf for _, is_leaf in taken)
        for at in range(count):
            lengths[at] += 1
        wanted = 2 * (len(taken) - count)
    return {code: lengths[at] for at, (_, code) in enumerate(ordered)}
