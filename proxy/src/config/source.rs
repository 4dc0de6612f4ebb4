//! Where the configuration comes from.

use std::path::PathBuf;

/// Where the configuration comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfigSource {
    /// A static file. It and the secrets that it names are watched and read again on SIGHUP; relative paths in it
    /// start at its folder.
    File(PathBuf),
    /// A text that never changes (an embedded copy, a test). Files that it names are watched all the same.
    Text {
        /// What diagnostics call it.
        name: String,
        /// The YAML.
        text: String,
        /// Where relative paths in it start.
        folder: PathBuf,
    },
}
