"""The front: static files, the way to the workers, its life beside them."""
