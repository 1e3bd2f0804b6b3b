//! The form of what is stored: JSON lines under zstd.
