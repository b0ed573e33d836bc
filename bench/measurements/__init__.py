"""How each kind of figure is taken. A measurement starts one server, observes it, stops it, and returns figures by name."""
