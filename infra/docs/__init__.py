"""What makes the documentation's site out of docs/ and the files beside it."""
