//! Reading a configuration file and the files that it names.

use crate::failure::Failure;
use sluice_model::{MAX_FILE_BYTES, ReadFile, Source};
use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

/// Larger configurations are refused: nobody writes them, and the parser should not have to see them.
const MAX_CONFIG_BYTES: u64 = 64 << 20;

/// Reads a configuration; `-` is standard input.
pub(crate) fn read(path: &Path) -> Result<Source, Failure> {
    let (name, text) = if path == Path::new("-") {
        ("<stdin>".to_owned(), read_text(io::stdin().lock()))
    } else {
        (path.display().to_string(), File::open(path).and_then(read_text))
    };
    match text {
        Ok(text) => Ok(Source::new(name, text)),
        Err(error) => Err(Failure::configuration(format!("cannot read the configuration {name}: {error}"))),
    }
}

fn read_text(from: impl Read) -> io::Result<String> {
    let mut text = String::new();
    if from.take(MAX_CONFIG_BYTES + 1).read_to_string(&mut text)? as u64 > MAX_CONFIG_BYTES {
        return Err(io::Error::other("it is larger than 64 MiB"));
    }
    Ok(text)
}

/// The folder in which relative paths of a configuration start.
#[derive(Debug)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// The folder of this configuration file; the current one for standard input.
    pub(crate) fn of(config: &Path) -> Self {
        Self(config.parent().unwrap_or(Path::new("")).to_path_buf())
    }
}

impl ReadFile for Folder {
    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        let mut content = Vec::new();
        File::open(self.0.join(path))?.take(MAX_FILE_BYTES as u64 + 1).read_to_end(&mut content)?;
        Ok(content)
    }
}
