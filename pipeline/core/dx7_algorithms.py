"""The 32 algorithms of the DX7, by number, in the notation of `pipeline.core.patch.Patch`.

Chains are listed from the carrier that plays first; a lone number is a carrier without modulators.
The feedback loops are for the record: the synthesizer has none.
"""

ALGORITHMS: dict[int, str] = {
    # two carriers: a stack of four, or of three, beside the rest
    1: "6>5>4>3 2>1",  # feedback on 6
    2: "6>5>4>3 2>1",  # feedback on 2
    3: "6>5>4 3>2>1",  # feedback on 6
    4: "6>5>4 3>2>1",  # feedback from 4 to 6
    # three pairs
    5: "6>5 4>3 2>1",  # feedback on 6
    6: "6>5 4>3 2>1",  # feedback from 5 to 6
    # a pair, and a carrier with two branches
    7: "6>5>3 4>3 2>1",  # feedback on 6
    8: "6>5>3 4>3 2>1",  # feedback on 4
    9: "6>5>3 4>3 2>1",  # feedback on 2
    # a stack of three, and a carrier with two modulators
    10: "6>4 5>4 3>2>1",  # feedback on 3
    11: "6>4 5>4 3>2>1",  # feedback on 6
    # a pair, and a carrier with three modulators
    12: "6>3 5>3 4>3 2>1",  # feedback on 2
    13: "6>3 5>3 4>3 2>1",  # feedback on 6
    # a pair, and a carrier whose modulator has two modulators
    14: "6>4>3 5>4 2>1",  # feedback on 6
    15: "6>4>3 5>4 2>1",  # feedback on 2
    # one carrier with three branches
    16: "6>5>1 4>3>1 2>1",  # feedback on 6
    17: "6>5>1 4>3>1 2>1",  # feedback on 2
    18: "6>5>4>1 3>1 2>1",  # feedback on 3
    # a modulator shared by two or three carriers
    19: "6>5 6>4 3>2>1",  # feedback on 6
    20: "6>4 5>4 3>2 3>1",  # feedback on 3
    21: "6>5 6>4 3>2 3>1",  # feedback on 3
    22: "6>5 6>4 6>3 2>1",  # feedback on 6
    23: "6>5 6>4 3>2 1",  # feedback on 6
    24: "6>5 6>4 6>3 2 1",  # feedback on 6
    25: "6>5 6>4 3 2 1",  # feedback on 6
    # several small groups
    26: "6>4 5>4 3>2 1",  # feedback on 6
    27: "6>4 5>4 3>2 1",  # feedback on 3
    28: "6 5>4>3 2>1",  # feedback on 5
    29: "6>5 4>3 2 1",  # feedback on 6
    30: "6 5>4>3 2 1",  # feedback on 5
    # nearly, or only, carriers
    31: "6>5 4 3 2 1",  # feedback on 6
    32: "6 5 4 3 2 1",  # feedback on 6
}

# Operators whose output returns, as (from, to); the DX7 sets its strength from 0 to 7.
FEEDBACK: dict[int, tuple[int, int]] = {
    number: loop
    for loop, numbers in {
        (6, 6): (1, 3, 5, 7, 11, 13, 14, 16, 19, 22, 23, 24, 25, 26, 29, 31, 32),
        (2, 2): (2, 9, 12, 15, 17),
        (3, 3): (10, 18, 20, 21, 27),
        (5, 5): (28, 30),
        (4, 4): (8,),
        (4, 6): (4,),
        (5, 6): (6,),
    }.items()
    for number in numbers
}
