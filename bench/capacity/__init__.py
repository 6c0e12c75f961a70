"""What a load needs of everything, by a model fitted to what `make bench` measured."""
