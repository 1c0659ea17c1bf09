"""What a customer sees through an opened link."""
