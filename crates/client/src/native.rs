//! The seams for this machine: HTTP, files, time, randomness.
