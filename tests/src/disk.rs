//! A disk's troubles, and what is on it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, Resource, Rlimit, prlimit};

/// The regular files of a directory with their contents, those of its directories included.
///
/// # Panics
///
/// When they can't be read.
pub fn contents(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut waiting = vec![directory.to_path_buf()];
    while let Some(directory) = waiting.pop() {
        for entry in fs::read_dir(&directory).expect("the directory can be read") {
            let path = entry.expect("the directory can be read").path();
            if path.is_dir() {
                waiting.push(path);
            } else if path.is_file() {
                let bytes = fs::read(&path).expect("the file can be read");
                files.insert(path, bytes);
            }
        }
    }
    files
}

/// Where a text stands in the files of a directory: each file and offset.
pub fn places(directory: &Path, text: &[u8]) -> Vec<(PathBuf, u64)> {
    let mut places = Vec::new();
    for (path, bytes) in contents(directory) {
        let found = bytes.windows(text.len()).enumerate().filter(|(_, window)| *window == text);
        places.extend(found.map(|(at, _)| (path.clone(), at as u64)));
    }
    places
}

/// Overwrites bytes of a file.
///
/// # Panics
///
/// When it can't be written.
pub fn overwrite(path: &Path, at: u64, bytes: &[u8]) {
    use std::os::unix::fs::FileExt;
    let file = fs::File::options().write(true).open(path).expect("the file can be opened");
    file.write_all_at(bytes, at).expect("the file can be written");
}

/// Makes every write to a file by the process fail from now on, as on a full disk, or lets them succeed again.
///
/// # Panics
///
/// When the process is gone.
pub fn fill(process: u32, full: bool) {
    let pid = Pid::from_raw(process.cast_signed());
    let limit = Rlimit { current: full.then_some(0), maximum: None };
    prlimit(pid, Resource::Fsize, limit).expect("a process may limit its children");
}
