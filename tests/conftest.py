"""What has to be set before anything imports SciPy or scikit-learn."""

import os

# scikit-learn's check that array API dispatch changes nothing is skipped unless this is set when SciPy is imported.
os.environ["SCIPY_ARRAY_API"] = "1"
