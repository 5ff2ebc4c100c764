"""Entry points whose paths others rely on; the code is in benchmarks/ and tools/."""
