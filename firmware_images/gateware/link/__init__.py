"""What stands between the serial line and the core: frames, messages, memory access, I2C."""
