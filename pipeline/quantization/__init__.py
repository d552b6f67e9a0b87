"""Turns float weights into the quantized .tflite step model, reads it back and runs it."""
