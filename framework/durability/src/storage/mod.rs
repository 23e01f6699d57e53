//! Where the log and the snapshots are kept.
//!
//! [`Storage`] is one directory of files with flat names. It promises what POSIX promises and no more: what was
//! written is safe only after [`StorageFile::sync_data`] came back without an error, and a file that was made,
//! renamed or removed is so for good only after [`Storage::sync_dir`]. All code above is written against that, and
//! is tested on [`simulated::SimulatedStorage`], which takes every liberty that these words leave.

mod directory;
pub mod simulated;

use std::io;

pub use directory::DirectoryStorage;

/// One directory of files with flat names.
pub trait Storage: Send + Sync + 'static {
    /// Makes an empty file, open for reading and writing. One of that name is emptied.
    ///
    /// # Errors
    /// What the operating system says.
    fn create(&self, name: &str) -> io::Result<Box<dyn StorageFile>>;

    /// Opens a file for reading.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] when there is none; else what the operating system says.
    fn open(&self, name: &str) -> io::Result<Box<dyn StorageFile>>;

    /// Opens a file for reading and writing, as it is.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] when there is none; else what the operating system says.
    fn open_writable(&self, name: &str) -> io::Result<Box<dyn StorageFile>>;

    /// Names and lengths in bytes of all files, in order of name. Folders are left out.
    ///
    /// # Errors
    /// What the operating system says.
    fn list(&self) -> io::Result<Vec<(String, u64)>>;

    /// Renames a file, atomically. One that has the new name is replaced.
    ///
    /// # Errors
    /// What the operating system says.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] when there is none; else what the operating system says.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Makes all that was created, renamed and removed before safe against a power cut.
    ///
    /// # Errors
    /// What the operating system says. After an error nothing is known about those changes.
    fn sync_dir(&self) -> io::Result<()>;

    /// Takes the directory for this process alone, until the value is dropped or the process ends. Taking it again
    /// does nothing. Only who writes needs it: readers (a back-up, `verify`) work beside a server.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when another has it; else what the operating system says.
    fn lock(&self) -> io::Result<()>;

    /// A number that was not given before and will not be again, not even by another process. It need not be
    /// secret. Files are told apart by it from what stood on the same sectors earlier.
    fn unique(&self) -> u64;

    /// What it is, for messages: a path.
    fn describe(&self) -> String;
}

/// One open file.
#[allow(clippy::len_without_is_empty, reason = "a length in a file system, not a collection")]
pub trait StorageFile: Send {
    /// Reads at `offset`, at most `buffer.len()` bytes; 0 at the end of the file.
    ///
    /// # Errors
    /// What the operating system says.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes at `offset` and returns how many bytes it wrote, which may be fewer than asked.
    ///
    /// # Errors
    /// What the operating system says. What then stands in the written range is unknown.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize>;

    /// Cuts or (with zeroes) extends the file.
    ///
    /// # Errors
    /// What the operating system says.
    fn set_len(&self, len: u64) -> io::Result<()>;

    /// Makes written bytes, and the length that it takes to read them, safe against a power cut.
    ///
    /// # Errors
    /// What the operating system says. After an error the bytes may be lost even if a later call succeeds, because
    /// the system may have forgotten that they are unwritten: write them again elsewhere.
    fn sync_data(&self) -> io::Result<()>;

    /// [`Self::sync_data`], and all else that is known about the file.
    ///
    /// # Errors
    /// As [`Self::sync_data`].
    fn sync_all(&self) -> io::Result<()>;

    /// The length in bytes.
    ///
    /// # Errors
    /// What the operating system says.
    fn len(&self) -> io::Result<u64>;

    /// Writes all of `bytes`, in as many pieces as it takes.
    ///
    /// # Errors
    /// As [`Self::write_at`]; [`io::ErrorKind::WriteZero`] when it takes no more.
    fn write_all_at(&self, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.write_at(bytes, offset) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    bytes = &bytes[written..];
                    offset += written as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Fills as much of `buffer` as the file has and returns how much that is.
    ///
    /// # Errors
    /// As [`Self::read_at`].
    fn read_up_to(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.read_at(&mut buffer[filled..], offset + filled as u64) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }
}
