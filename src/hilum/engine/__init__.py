"""What runs by itself: reactions to events, deliveries, schedules, and the processes of the roles."""
