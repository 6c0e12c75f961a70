"""What runs Headway: the local stack, images and deployment files. Not published."""
