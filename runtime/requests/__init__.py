"""Streams of requests to clusters with compiled models: latency, energy, utilisation."""
