"""The command `arrivals`: imports of watched folders, which nobody asks for."""
