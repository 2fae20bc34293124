"""Azure Resource Manager, seen from here. Only this package speaks to it; it decides nothing."""
