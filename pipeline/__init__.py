"""Neural FM instruments from a recording to a Cortex-M: one module a stage."""
