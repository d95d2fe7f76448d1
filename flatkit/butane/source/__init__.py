"""YAML with positions, read as yaml.v3 (the library inside butane) reads it: text -> nodes -> values or type errors."""
