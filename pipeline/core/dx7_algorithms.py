"""The 32 algorithms of the DX7, by number, in the notation of `pipeline.core.patch.Patch`.

Each has a routing, in which a lone number is a carrier without modulators, and the link that feeds
back, in the same notation. The feedback is for the record: the synthesizer has none.
"""

_TABLE = {
    # two carriers: a stack of four, or of three, beside the rest
    1: ("6>5>4>3 2>1", "6>6"),
    2: ("6>5>4>3 2>1", "2>2"),
    3: ("6>5>4 3>2>1", "6>6"),
    4: ("6>5>4 3>2>1", "4>6"),
    # three pairs
    5: ("6>5 4>3 2>1", "6>6"),
    6: ("6>5 4>3 2>1", "5>6"),
    # a pair, and a carrier with two branches
    7: ("6>5>3 4>3 2>1", "6>6"),
    8: ("6>5>3 4>3 2>1", "4>4"),
    9: ("6>5>3 4>3 2>1", "2>2"),
    # a stack of three, and a carrier with two modulators
    10: ("6>4 5>4 3>2>1", "3>3"),
    11: ("6>4 5>4 3>2>1", "6>6"),
    # a pair, and a carrier with three modulators
    12: ("6>3 5>3 4>3 2>1", "2>2"),
    13: ("6>3 5>3 4>3 2>1", "6>6"),
    # a pair, and a carrier whose modulator has two modulators
    14: ("6>4>3 5>4 2>1", "6>6"),
    15: ("6>4>3 5>4 2>1", "2>2"),
    # one carrier with three branches
    16: ("6>5>1 4>3>1 2>1", "6>6"),
    17: ("6>5>1 4>3>1 2>1", "2>2"),
    18: ("6>5>4>1 3>1 2>1", "3>3"),
    # a modulator shared by two or three carriers
    19: ("6>5 6>4 3>2>1", "6>6"),
    20: ("6>4 5>4 3>2 3>1", "3>3"),
    21: ("6>5 6>4 3>2 3>1", "3>3"),
    22: ("6>5 6>4 6>3 2>1", "6>6"),
    23: ("6>5 6>4 3>2 1", "6>6"),
    24: ("6>5 6>4 6>3 2 1", "6>6"),
    25: ("6>5 6>4 3 2 1", "6>6"),
    # several small groups
    26: ("6>4 5>4 3>2 1", "6>6"),
    27: ("6>4 5>4 3>2 1", "3>3"),
    28: ("6 5>4>3 2>1", "5>5"),
    29: ("6>5 4>3 2 1", "6>6"),
    30: ("6 5>4>3 2 1", "5>5"),
    # nearly, or only, carriers
    31: ("6>5 4 3 2 1", "6>6"),
    32: ("6 5 4 3 2 1", "6>6"),
}

ALGORITHMS = {number: routing for number, (routing, _) in _TABLE.items()}

# Operators whose output returns, as (from, to); the DX7 sets its strength from 0 to 7.
FEEDBACK = {number: (int(loop[0]), int(loop[2])) for number, (_, loop) in _TABLE.items()}
