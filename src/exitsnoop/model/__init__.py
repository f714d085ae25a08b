"""What an exit is: data, no input or output."""
