"""What stacks and scripts both stand on: facts, names, policies, outputs, sections. Imports `settings` alone."""
