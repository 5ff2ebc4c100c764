"""What can be told of markets as a whole: whether prices make sense together, and how much is mapped."""
