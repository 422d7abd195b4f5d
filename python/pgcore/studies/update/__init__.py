"""Inside an update: where does ascent of the surrogate stop to pay in true reward?"""
