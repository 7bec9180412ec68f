"""What is inside an installer, read while its bytes pass by."""
