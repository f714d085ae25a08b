"""The live source of exits."""
