"""Rules that send things on, and the deliveries that they plan."""
