"""Table 3 of the first paper: memory allocation for S = 2 hosts of C = 4 GiB, M = 4 levels.

Sizes are in units of C / 8 (512 MiB for C = 4 GiB), in join order. Row 9 is given by the rule (equation 1 and the rows
8 and 10 around it); our copy of the paper prints 1x7 0.5x2 there, which adds up to 8.5 of 8 GiB. See docs/paper-map.md.
"""

ROWS = {
    1: ([8], 8, 0),
    2: ([8, 4], 4, 0),
    3: ([4, 4, 4], 4, 1),
    4: ([4, 4, 4, 2], 2, 0),
    5: ([4, 4, 2, 2, 2], 2, 1),
    6: ([4, 2, 2, 2, 2, 2], 2, 1),
    7: ([2] * 7, 2, 1),
    8: ([2] * 7 + [1], 1, 0),
    9: ([2] * 6 + [1] * 3, 1, 1),
    10: ([2] * 5 + [1] * 5, 1, 1),
    11: ([2] * 4 + [1] * 7, 1, 1),
    12: ([2] * 3 + [1] * 9, 1, 1),
    13: ([2] * 2 + [1] * 11, 1, 1),
    14: ([2] + [1] * 13, 1, 1),
    15: ([1] * 15, 1, 1),
    16: ([1] * 16, 0, 0),
}
MOST_USERS = 16


def expected(users, largest_mib):
    """(sizes in MiB in join order, free MiB, handoffs at this join) of a row, for hosts of `largest_mib`."""
    sizes, free, handoffs = ROWS[users]
    unit = largest_mib // 8
    return [size * unit for size in sizes], free * unit, handoffs


def compare(users, largest_mib, sizes, free, handoffs):
    """'' if a measured row is the paper's, else what differs."""
    want_sizes, want_free, want_handoffs = expected(users, largest_mib)
    differences = []
    # the paper's rows list sizes from the largest down; join order within a row is not told by it
    if sorted(sizes, reverse=True) != want_sizes:
        differences.append(f"sizes {text(sizes)} instead of {text(want_sizes)}")
    if free != want_free:
        differences.append(f"free {gib(free)} instead of {gib(want_free)}")
    if handoffs != want_handoffs:
        differences.append(f"{handoffs} handoffs instead of {want_handoffs}")
    return "; ".join(differences)


def gib(mib):
    return f"{mib / 1024:g}"


def text(sizes):
    """[1024, 1024, 512] -> '1x2 0.5'"""
    parts, index = [], 0
    while index < len(sizes):
        count = 1
        while index + count < len(sizes) and sizes[index + count] == sizes[index]:
            count += 1
        parts.append(gib(sizes[index]) + (f"x{count}" if count > 1 else ""))
        index += count
    return " ".join(parts)
