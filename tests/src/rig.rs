//! A module, its data, and servers on them.

use std::fs;
use std::path::PathBuf;

use crate::folder::Folder;
use crate::process::ServerProcess;

/// What a test that starts servers needs: a module as a file, and a folder for data.
#[derive(Debug)]
pub struct Rig {
    /// All files of the test.
    pub folder: Folder,
    program: &'static str,
    name: &'static str,
    cache: PathBuf,
}

impl Rig {
    /// For servers `program` with the module `name`, whose `.wasm` is given. `root` as for [`Folder::new`]: compiled modules stay
    /// there for later tests.
    ///
    /// # Panics
    ///
    /// When the files can't be written.
    pub fn new(root: &str, program: &'static str, name: &'static str, wasm: &[u8]) -> Self {
        let rig = Self {
            folder: Folder::new(root, name),
            program,
            name,
            cache: PathBuf::from(root).join("compiled"),
        };
        rig.replace_module(wasm);
        rig
    }

    /// Another version of the module, for servers started from now on.
    ///
    /// # Panics
    ///
    /// When the file can't be written.
    pub fn replace_module(&self, wasm: &[u8]) {
        fs::write(self.module(), wasm).expect("the folder can be written");
    }

    /// The module's file.
    pub fn module(&self) -> String {
        self.folder.file("module.wasm")
    }

    /// The data directory.
    pub fn data(&self) -> String {
        self.folder.file("data")
    }

    /// Starts a server on [`Self::data`]; see [`ServerProcess::url`].
    pub fn spawn(&self) -> ServerProcess {
        self.spawn_on(&self.data())
    }

    /// Starts a server on a data directory; see [`ServerProcess::url`].
    pub fn spawn_on(&self, data: &str) -> ServerProcess {
        self.spawn_with(data, &[])
    }

    /// The same, with further arguments.
    pub fn spawn_with(&self, data: &str, further: &[&str]) -> ServerProcess {
        let (module, cache) = (self.module(), self.cache.display().to_string());
        let arguments = ["--name", self.name, "--module", &module, "--data", data, "--cache", &cache];
        ServerProcess::spawn(self.program, arguments.iter().chain(further))
    }

    /// Starts a server on [`Self::data`] and waits until it is up.
    ///
    /// # Panics
    ///
    /// With the server's log, when it does not come up.
    pub fn start(&self) -> (ServerProcess, String) {
        self.start_on(&self.data())
    }

    /// Starts a server on a data directory and waits until it is up.
    ///
    /// # Panics
    ///
    /// As [`Self::start`].
    pub fn start_on(&self, data: &str) -> (ServerProcess, String) {
        let mut server = self.spawn_on(data);
        match server.url() {
            Ok(url) => (server, url),
            Err(log) => panic!("the server did not start:\n{log}"),
        }
    }
}
