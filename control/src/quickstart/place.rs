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
        env::current_dir().ok().and_then(|here| Self::above(&here)).map_or_else(Self::copy, Ok)
    }

    /// The repository's file. Its path is absolute: it will be typed in another terminal.
    fn above(here: &Path) -> Option<Self> {
        let root = here.ancestors().find(|folder| is_repository(folder))?;
        Some(Self::Repository(root.join(FILE)))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_repository_is_found_from_its_folders() {
        let control = Path::new(env!("CARGO_MANIFEST_DIR"));
        let place = Place::above(&control.join("src")).unwrap();
        assert_eq!(place.file(), control.parent().unwrap().join(FILE));
        assert!(!place.is_copy());
    }

    #[test]
    fn elsewhere_there_is_a_copy_that_goes_with_its_owner() {
        let elsewhere = tempfile::tempdir().unwrap();
        assert!(Place::above(elsewhere.path()).is_none());
        let place = Place::copy().unwrap();
        let file = place.file().to_path_buf();
        assert_eq!(fs::read_to_string(&file).unwrap(), EMBEDDED);
        drop(place);
        assert!(!file.exists());
    }
}
