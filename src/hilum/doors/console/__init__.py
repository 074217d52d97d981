"""The console: pages for the people who keep the gate, rendered on the server."""
