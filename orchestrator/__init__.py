"""Patches any fleet of Azure VMs wave by wave, from one configuration file to a status database.

This module knows only the version. It imports nothing, so that every layer below it stays light.
"""

__version__ = "0.1.0"
