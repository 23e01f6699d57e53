//! Segments, syncing, and what is found in them again.
