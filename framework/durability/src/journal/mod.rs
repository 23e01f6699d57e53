//! From commits to records, and from records to a world.
