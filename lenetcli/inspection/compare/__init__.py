"""What two configurations, runs or sets of weights differ in, as plain data."""
