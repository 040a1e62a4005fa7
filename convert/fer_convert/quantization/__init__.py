"""How int8 stays close to float: calibration images, outliers, and weights rounded by GPTQ."""
