"""Contract suites for plug-ins of every kind, to run on the registered ones and on your own."""
