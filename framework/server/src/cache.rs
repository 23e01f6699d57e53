//! Compiled modules in a directory.

use std::fs;
use std::path::PathBuf;

use evertick_wasm::{CompiledCache, CompiledKey};

/// Keeps compiled modules as files of one directory, which should belong to the server alone: what is in it
/// is run as native code.
#[derive(Debug)]
pub struct DirectoryCache {
    directory: PathBuf,
}

impl DirectoryCache {
    /// A cache in `directory`, which is made when the first module is kept.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into() }
    }

    fn path(&self, key: &CompiledKey) -> PathBuf {
        self.directory.join(format!("{key}.cwasm"))
    }
}

impl CompiledCache for DirectoryCache {
    fn get(&self, key: &CompiledKey) -> Option<Vec<u8>> {
        fs::read(self.path(key)).ok()
    }

    fn put(&self, key: &CompiledKey, compiled: &[u8]) {
        let path = self.path(key);
        // Written beside and renamed, so that no other process reads half of it.
        let part = path.with_extension(format!("part-{}", std::process::id()));
        let kept = fs::create_dir_all(&self.directory)
            .and_then(|()| fs::write(&part, compiled))
            .and_then(|()| fs::rename(&part, &path));
        if let Err(error) = kept {
            tracing::warn!(path = %path.display(), %error, "a compiled module could not be kept");
        }
    }
}
