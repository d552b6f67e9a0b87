"""Everything between C and a chip: boards, builds, emulators, sizes, cycles, flash images."""
