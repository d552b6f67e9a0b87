"""Runs C on boards: the boards, builds, emulators, sizes, cycles and flash images."""
