"""From float weights to the .tflite step model and back: ranges, quantization-aware training, writer and reader."""
