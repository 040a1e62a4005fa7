"""Accurate int8 quantization: calibration data, outlier removal, and GPTQ."""
