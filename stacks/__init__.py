"""Composition only: provider, backend, modules, outputs. A topology is a row of traits, never a copied stack."""
