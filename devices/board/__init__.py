"""Serial-connected boards that run a whole model: integer contract, compiler, link, flashing."""
