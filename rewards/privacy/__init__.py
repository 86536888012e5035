"""What is kept of a person, given to them as a file or taken out."""
