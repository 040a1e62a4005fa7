"""Ordinary photos in folders of labels, and the faces cut out of them."""
