//! Data directories that are there.

use std::path::Path;

use evertick_durability::DirectoryStorage;

use crate::outcome::Failure;

/// Opens a directory without making it.
pub(crate) fn existing(path: &Path) -> Result<DirectoryStorage, Failure> {
    DirectoryStorage::existing(path).map_err(|error| {
        Failure::new(format!(
            "can't open {}: {error}; give the directory that the server calls its data_dir",
            path.display()
        ))
    })
}
