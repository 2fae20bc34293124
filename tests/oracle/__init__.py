"""The schedule oracle: when every rule must fire in every zone, by walking the wall clock. It
shares no code with the product."""
