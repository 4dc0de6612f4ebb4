//! From text to a validated configuration.

use crate::{Config, Diagnostics, Source, spec};

/// Reads the files that a configuration names: certificates, keys, trust anchors. I/O stays with the caller, who
/// decides what relative paths start at (by the written form's promise: the folder of the configuration).
pub trait ReadFile {
    /// The whole content of a file. More than [`MAX_FILE_BYTES`] need not be read: it is refused anyway.
    fn read(&self, path: &str) -> std::io::Result<Vec<u8>>;
}

/// The largest file that a secret may be read from.
pub const MAX_FILE_BYTES: usize = 1 << 20;

/// Where configurations name no files: every one is missing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoFiles;

/// A configuration that may be used, and what is odd about it.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// Warnings and remarks; no errors.
    pub warnings: Diagnostics,
    /// The files that were read, as the configuration names them; a change of one of them changes the configuration.
    pub files: Vec<String>,
}

/// Reads a static file. Fails with *all* that is wrong, warnings included, as soon as there is one error.
pub fn load(source: &Source, files: &dyn ReadFile) -> Result<Loaded, Diagnostics> {
    let _ = (source, files);
    todo!()
}

/// Checks a configuration that was not written as text: made by a translation, say. Diagnostics carry `name` in place
/// of a file, line 1 and column 1.
pub fn validate(name: &str, config: spec::Config, files: &dyn ReadFile) -> Result<Loaded, Diagnostics> {
    let _ = (name, config, files);
    todo!()
}

// === impl NoFiles ===

impl ReadFile for NoFiles {
    fn read(&self, _: &str) -> std::io::Result<Vec<u8>> {
        Err(std::io::ErrorKind::NotFound.into())
    }
}
