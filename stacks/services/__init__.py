"""The ECS services of the stack `omero`, one concern a file. Their resources belong to that stack."""
