"""The device in NumPy, bit for bit; the modules mirror the folders of ``tflm_app``."""
