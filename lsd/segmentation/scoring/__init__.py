"""How surely two fragments that touch are one: one file for each way of scoring."""
