"""The ternary array: weights from memory times the activations held here, one exact sum a row."""
