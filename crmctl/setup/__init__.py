"""A workspace from nothing to healthy: init, doctor, config, db, demo. The room that may look into every foundation."""
