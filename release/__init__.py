"""What goes with a release: the licences of what the wheel installs, and its bill of materials."""
