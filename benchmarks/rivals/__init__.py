"""What is measured side by side: each module is a process that does one job and tells its
figures."""
