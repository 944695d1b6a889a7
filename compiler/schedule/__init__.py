"""From layer operations to launches: tiles, TCDM and L2 addresses, order and synchronisation."""
