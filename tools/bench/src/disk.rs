//! A directory on the disk that the benchmarks run from, and how fast that disk is.

use std::fs::{File, create_dir, remove_dir_all};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::Result;

/// The file that is overwritten, and how much of it at once: a block, as a log does for a single call.
const FILE_BYTES: usize = 16 << 20;
const BLOCK_BYTES: usize = 4096;

/// A directory beside the program, which is under `target`; removed in the end.
pub(crate) struct Directory(PathBuf);

impl Directory {
    pub(crate) fn new(name: &str) -> Result<Self> {
        let program = std::env::current_exe()?;
        let directory = program.with_file_name(format!("bench-{name}-{}", std::process::id()));
        create_dir(&directory)?;
        Ok(Self(directory))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // What is left there is under `target` and in nobody's way.
        let _left_over = remove_dir_all(&self.0);
    }
}

/// A file of which single blocks are overwritten and synced.
pub(crate) struct Disk {
    file: File,
    offset: usize,
}

impl Disk {
    /// In this directory, on the same disk as what is compared with it.
    pub(crate) fn new(directory: &Directory) -> Result<Self> {
        let file = File::create(directory.path().join("blocks"))?;
        file.write_all_at(&vec![0; FILE_BYTES], 0)?;
        file.sync_all()?;
        Ok(Self { file, offset: 0 })
    }

    /// The time of a write of one block with its `fdatasync`, in seconds.
    pub(crate) fn sync_seconds(&mut self) -> Result<f64> {
        let start = Instant::now();
        self.file.write_all_at(&[7; BLOCK_BYTES], self.offset as u64)?;
        self.file.sync_data()?;
        self.offset = (self.offset + BLOCK_BYTES) % FILE_BYTES;
        Ok(start.elapsed().as_secs_f64())
    }
}
