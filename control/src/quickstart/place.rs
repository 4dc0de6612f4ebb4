//! Which file the quickstart runs.

use super::EMBEDDED;
use crate::failure::Failure;
use std::{
    env, fs,
    path::{Path, PathBuf},
};
use tempfile::TempDir;

/// The file that the quickstart runs and the user edits.
#[derive(Debug)]
pub(super) enum Place {
    /// The file of the repository that we stand in.
    Repository(PathBuf),
    /// A copy of the embedded one; the folder goes when this value does.
    Copy { file: PathBuf, _folder: TempDir },
}

impl Place {
    /// The repository's file where there is one above the current folder, else a copy.
    pub(super) fn find() -> Result<Self, Failure> {
        let here = env::current_dir().unwrap_or_default();
        match here.ancestors().find(|folder| is_repository(folder)) {
            // Relative where it can be, since the user will read and type it.
            Some(root) if root == here => Ok(Self::Repository(PathBuf::from(FILE))),
            Some(root) => Ok(Self::Repository(root.join(FILE))),
            None => Self::copy(),
        }
    }

    /// A copy of the embedded file.
    pub(super) fn copy() -> Result<Self, Failure> {
        let failure =
            |error| Failure::system(format!("cannot write the configuration to a temporary folder: {error}"));
        let folder = tempfile::Builder::new().prefix("sluice-quickstart-").tempdir().map_err(failure)?;
        let file = folder.path().join("quickstart.yaml");
        fs::write(&file, EMBEDDED).map_err(failure)?;
        Ok(Self::Copy { file, _folder: folder })
    }

    /// The file.
    pub(super) fn file(&self) -> &Path {
        match self {
            Self::Repository(file) | Self::Copy { file, .. } => file,
        }
    }

    /// Whether the file is ours to change.
    pub(super) fn is_copy(&self) -> bool {
        matches!(self, Self::Copy { .. })
    }
}

const FILE: &str = "configs/quickstart.yaml";

/// Both files together: some other project may well have one of them.
fn is_repository(folder: &Path) -> bool {
    folder.join(FILE).is_file() && folder.join("control/src/quickstart/place.rs").is_file()
}
