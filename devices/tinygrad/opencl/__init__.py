"""Our kernels in OpenCL C, for the GPUs that speak it: Intel, AMD and others.

It knows nothing: see path.py for where to begin.
"""
