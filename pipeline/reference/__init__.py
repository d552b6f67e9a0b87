"""The device in NumPy, bit for bit; mirrors ``tflm_app`` folder by folder."""
