//! For tests: a workspace package as the `.wasm` that would ship.
//!
//! ```no_run
//! let wasm = evertick_test_guests::wasm("gather-module");
//! ```

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};

const TARGET: &str = "wasm32-unknown-unknown";
const PROFILE: &str = "module";

/// Builds `package` the way modules ship and returns its bytes. Cargo runs once per package and process, and
/// locks its target directory between processes; where nothing changed that takes a fraction of a second.
///
/// # Panics
///
/// When the package can't be built: the test can't go on.
pub fn wasm(package: &str) -> Arc<[u8]> {
    static BUILT: Mutex<Option<HashMap<String, Arc<[u8]>>>> = Mutex::new(None);
    // A build that failed panicked while holding the lock; the map is as good as before.
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    let built = built.get_or_insert_default();
    if let Some(bytes) = built.get(package) {
        return Arc::clone(bytes);
    }
    let bytes: Arc<[u8]> = build(package).into();
    built.insert(package.to_owned(), Arc::clone(&bytes));
    bytes
}

fn build(package: &str) -> Vec<u8> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let target_dir = target_dir(&root).join("guest");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .current_dir(&root)
        .args(["build", "--package", package, "--target", TARGET, "--profile", PROFILE, "--target-dir"])
        .arg(&target_dir)
        .env("RUSTFLAGS", "-C target-feature=+simd128")
        // What the outer cargo sets for itself is not meant for this build.
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env_remove("CARGO_BUILD_TARGET")
        .output()
        .expect("cargo can be started");
    assert!(
        output.status.success(),
        "{package} could not be built for {TARGET} (is the target installed? `rustup target add {TARGET}`):\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let path = target_dir.join(TARGET).join(PROFILE).join(format!("{}.wasm", package.replace('-', "_")));
    fs::read(&path).unwrap_or_else(|error| {
        panic!("{} is not there: {error}; does {package} have crate-type = [\"cdylib\"]?", path.display())
    })
}

/// The directory that this very build uses.
fn target_dir(root: &Path) -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(dir) => root.join(dir),
        None => root.join("target"),
    }
}
