//! Compiled modules, kept by the embedder: loading one takes 0.4 ms where compiling takes 40 to 120.

use std::fmt;
use std::hash::{Hash, Hasher};

use sha2::{Digest, Sha256};
use wasmtime::{Engine, Module};

/// Raised whenever what is kept changes its form in a way that wasmtime's own hash does not show.
const FORMAT: u32 = 1;

/// The bytes in front of what is kept: SHA-256 of the rest.
const SEAL_BYTES: usize = 32;

/// Where compiled modules are kept between starts, such as a directory with one file per key.
///
/// # Trust
///
/// What is kept is native code. It is sealed against damage (a torn write is noticed and the module
/// compiled again), not against forgery: keep it where nobody can write who may not replace the server
/// itself.
pub trait CompiledCache: Send + Sync {
    /// What was put under `key`. `None` when there is nothing, or it could not be read.
    fn get(&self, key: &CompiledKey) -> Option<Vec<u8>>;

    /// Keeps `compiled`, if it can. Whoever implements this reports its own errors: a module that could not
    /// be kept is only slower to load.
    fn put(&self, key: &CompiledKey, compiled: &[u8]);
}

/// Names a compiled module: the hash of its bytes, of wasmtime's version, of the processor and of all
/// settings that make a difference. [`Display`](fmt::Display) is 64 hex digits, good for a file name.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct CompiledKey([u8; 32]);

impl CompiledKey {
    /// The key of `wasm` for `engine`.
    pub(crate) fn of(engine: &Engine, wasm: &[u8]) -> Self {
        let mut hash = Digester(Sha256::new());
        FORMAT.hash(&mut hash);
        engine.precompile_compatibility_hash().hash(&mut hash);
        hash.0.update(Sha256::digest(wasm));
        Self(hash.0.finalize().into())
    }
}

impl fmt::Display for CompiledKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for CompiledKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The module kept under `key`; `None` when it is not there, damaged, or of another build after all.
pub(crate) fn fetch(engine: &Engine, cache: &dyn CompiledCache, key: &CompiledKey) -> Option<Module> {
    let kept = cache.get(key)?;
    let (seal, compiled) = kept.split_first_chunk::<SEAL_BYTES>()?;
    if seal[..] != Sha256::digest(compiled)[..] {
        tracing::warn!(%key, "a compiled module is damaged and is compiled again");
        return None;
    }
    // SAFETY: `compiled` is what `keep` got from `Module::serialize`: the seal rules out damage, and
    // `CompiledCache` makes the embedder answer for forgery. wasmtime itself refuses another version's or
    // another configuration's bytes.
    match unsafe { Module::deserialize(engine, compiled) } {
        Ok(module) => Some(module),
        Err(error) => {
            tracing::warn!(%key, %error, "a compiled module can't be used and is compiled again");
            None
        }
    }
}

/// Seals `module` and gives it to the cache.
pub(crate) fn keep(module: &Module, cache: &dyn CompiledCache, key: &CompiledKey) {
    match module.serialize() {
        Ok(compiled) => {
            let mut sealed = Sha256::digest(&compiled).to_vec();
            sealed.extend_from_slice(&compiled);
            cache.put(key, &sealed);
        }
        Err(error) => tracing::warn!(%key, %error, "a compiled module can't be kept"),
    }
}

/// SHA-256 of whatever is hashed into it.
struct Digester(Sha256);

impl Hasher for Digester {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        let digest = self.0.clone().finalize();
        u64::from_le_bytes(*digest.first_chunk().expect("a digest has 32 bytes"))
    }
}
