"""What Azure and the network may do to a request of ours, as rows: the script and its outcome."""
