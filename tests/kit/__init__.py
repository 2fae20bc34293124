"""The vocabulary of the tests: short ways to say a run, a clock to turn by hand, a small Azure in
memory."""
