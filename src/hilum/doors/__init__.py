"""In: one folder per protocol; a request becomes one call of the hub, and its result an answer."""
