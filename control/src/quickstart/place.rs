//! Which folder the quickstart serves.

use crate::failure::Failure;
use std::{
    env, fs,
    path::{Path, PathBuf},
};
use tempfile::TempDir;

/// The manifests that the binary carries, by file.
const EMBEDDED: [(&str, &str); 4] = [
    ("class.yaml", include_str!("../../../configs/quickstart/class.yaml")),
    ("orders.yaml", include_str!("../../../configs/quickstart/orders.yaml")),
    (SERVERS, include_str!("../../../configs/quickstart/servers.yaml")),
    ("shop.yaml", include_str!("../../../configs/quickstart/shop.yaml")),
];
/// The file that says where the servers are.
const SERVERS: &str = "servers.yaml";

/// The folder that the quickstart serves and the user edits.
#[derive(Debug)]
pub(super) enum Place {
    /// The folder of the repository that we stand in.
    Repository(PathBuf),
    /// A copy of the embedded manifests; it goes when this value does.
    Copy(TempDir),
}

impl Place {
    /// The repository's folder where there is one above the current folder, else a copy.
    pub(super) fn find() -> Result<Self, Failure> {
        env::current_dir().ok().and_then(|here| Self::above(&here)).map_or_else(Self::copy, Ok)
    }

    /// The repository's folder. Its path is absolute: it will be typed in another terminal.
    fn above(here: &Path) -> Option<Self> {
        let root = here.ancestors().find(|folder| is_repository(folder))?;
        Some(Self::Repository(root.join(FOLDER)))
    }

    /// A copy of the embedded manifests.
    pub(super) fn copy() -> Result<Self, Failure> {
        let failure =
            |error| Failure::system(format!("cannot write the manifests to a temporary folder: {error}"));
        let folder = tempfile::Builder::new().prefix("sluice-quickstart-").tempdir().map_err(failure)?;
        for (name, text) in EMBEDDED {
            fs::write(folder.path().join(name), text).map_err(failure)?;
        }
        Ok(Self::Copy(folder))
    }

    /// The folder.
    pub(super) fn folder(&self) -> &Path {
        match self {
            Self::Repository(folder) => folder,
            Self::Copy(folder) => folder.path(),
        }
    }

    /// The manifest that says where the servers are.
    pub(super) fn servers(&self) -> PathBuf {
        self.folder().join(SERVERS)
    }

    /// Whether the manifests are ours to change.
    pub(super) fn is_copy(&self) -> bool {
        matches!(self, Self::Copy(_))
    }
}

const FOLDER: &str = "configs/quickstart";

/// Both together: some other project may well have one of them.
fn is_repository(folder: &Path) -> bool {
    folder.join(FOLDER).is_dir() && folder.join("control/src/quickstart/place.rs").is_file()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn files(folder: &Path) -> BTreeMap<String, String> {
        let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
        let read = |path: PathBuf| fs::read_to_string(path).unwrap();
        entries.map(|entry| (entry.file_name().into_string().unwrap(), read(entry.path()))).collect()
    }

    #[test]
    fn the_repository_is_found_from_its_folders() {
        let control = Path::new(env!("CARGO_MANIFEST_DIR"));
        let place = Place::above(&control.join("src")).unwrap();
        assert_eq!(place.folder(), control.parent().unwrap().join(FOLDER));
        assert!(!place.is_copy());
    }

    #[test]
    fn elsewhere_there_is_a_whole_copy_that_goes_with_its_owner() {
        let elsewhere = tempfile::tempdir().unwrap();
        assert!(Place::above(elsewhere.path()).is_none());
        let place = Place::copy().unwrap();
        let folder = place.folder().to_path_buf();
        let mut repository = files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(FOLDER));
        repository.retain(|name, _| Path::new(name).extension().is_some_and(|kind| kind == "yaml"));
        assert_eq!(files(&folder), repository, "every manifest of the folder is embedded");
        drop(place);
        assert!(!folder.exists());
    }
}
