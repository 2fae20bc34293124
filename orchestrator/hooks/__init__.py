"""What is asked of the world around the fleet: the gates of waves. It knows nothing of Azure."""
