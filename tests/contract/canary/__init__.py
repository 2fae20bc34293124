"""Secrets that sing when they get out, and the ways on which they might (reliability S5, F23)."""
