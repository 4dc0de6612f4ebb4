//! The certificate that all peers serve: ECDSA on P-256, as most of the web has it.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// Host of the requests, unless a row has many.
pub(crate) const HOST: &str = "bench.example";

/// Files with one certificate for [`HOST`].
#[derive(Debug, Clone)]
pub(crate) struct Certificate {
    pub(crate) chain: PathBuf,
    pub(crate) key: PathBuf,
    /// Both in one file, as HAProxy wants it.
    pub(crate) both: PathBuf,
}

impl Certificate {
    /// Makes one in a folder.
    pub(crate) fn make(folder: &Path) -> io::Result<Self> {
        let made = rcgen::generate_simple_self_signed([HOST.to_owned(), "*.bench.example".to_owned()])
            .map_err(io::Error::other)?;
        let (chain, key) = (made.cert.pem(), made.signing_key.serialize_pem());
        let files = Self {
            chain: folder.join("bench.crt"),
            key: folder.join("bench.key"),
            both: folder.join("bench.pem"),
        };
        fs::write(&files.both, format!("{chain}{key}"))?;
        fs::write(&files.chain, chain)?;
        fs::write(&files.key, key)?;
        Ok(files)
    }
}
