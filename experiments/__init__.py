"""How defaults were chosen: the tables of docs/experiments.md."""
