"""What any implementation of the Arm port owes, and the parts it is made of."""
