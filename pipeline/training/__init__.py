"""Training and distillation: data set, batches, losses, optimizer steps, checkpoints."""
