"""The cluster's units: register maps, job decoding, exact execution and closed-form cycles."""
