"""Everything that touches the world, one module each."""
