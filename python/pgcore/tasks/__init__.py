"""Tasks as data, the built-in ones, and Gymnasium's."""
