//! `sluice translate`.

use crate::{failure::Failure, manifests::Input, output, told::Served};
use clap::Args;
use sluice_model::spec::{Config, DataSource, SecretKind};
use std::{
    collections::BTreeSet,
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

/// Where secrets are expected when nobody says where they shall be.
const SECRETS: &str = "secrets";

/// Print the configuration that Kubernetes objects come to, as `sluice run` takes it.
///
/// Certificates and keys are not printed: the configuration names files for them in the folder `secrets` beside it, or, with
/// `--secrets`, in that folder, where they are written. Among them is the certificate for hosts that have none, a self-signed one
/// that is made anew each time. What is wrong with objects is said on standard error (see
/// `sluice check`); what they leave is printed all the same.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sluice translate shop/ --port-map 80=8080,443=8443 --secrets secrets > proxy.json
  sluice run proxy.json

Exit codes: 0 printed, 1 the manifests, or one of the files, cannot be read (what the others come to is printed).")]
pub(crate) struct Translate {
    /// A folder of manifests, or a file; `-` reads standard input.
    #[arg(value_name = "PATH", required_unless_present = "cluster")]
    manifests: Option<PathBuf>,
    /// Read the objects of a Kubernetes API server once, in place of a folder: of the one that --kubeconfig names, or of the
    /// cluster in which this process runs.
    #[arg(long, conflicts_with = "manifests")]
    cluster: bool,
    /// Write certificates and private keys to files in this folder, for their owner only.
    #[arg(long, value_name = "DIR", conflicts_with = "show_secrets")]
    secrets: Option<PathBuf>,
    /// Print certificates and private keys.
    #[arg(long)]
    show_secrets: bool,
    #[command(flatten)]
    served: Served,
}

impl Translate {
    pub(crate) fn execute(self) -> Result<ExitCode, Failure> {
        let manifests = match Input::of(self.manifests.as_deref(), &self.served)? {
            Input::Manifests(manifests) => manifests,
            Input::Config(source) => {
                let message =
                    format!("{} is a configuration already, or holds no Kubernetes object", source.name);
                return Err(Failure::configuration(message));
            }
        };
        manifests.usable()?;
        let partial = manifests.is_partial();
        let mut config = manifests.config;
        if !self.show_secrets {
            let contents = refer(&mut config, self.secrets.as_deref().unwrap_or(Path::new(SECRETS)));
            match &self.secrets {
                Some(folder) => write(folder, &contents).map_err(|error| {
                    Failure::system(format!("cannot write secrets to {}: {error}", folder.display()))
                })?,
                None if contents.is_empty() => {}
                None => output::note(&format!(
                    "certificates and keys are not printed; they are expected in `{SECRETS}` beside the configuration \
                     (--secrets DIR writes them, --show-secrets prints them)"
                )),
            }
        }
        let text = serde_json::to_string_pretty(&config)
            .map_err(|error| Failure::system(format!("the configuration cannot be printed: {error}")))?;
        output::print(&format!("{text}\n"))?;
        Ok(ExitCode::from(u8::from(partial)))
    }
}

/// Replaces the content of secrets by files in a folder; returns what these have to hold.
fn refer(config: &mut Config, folder: &Path) -> Vec<(PathBuf, Arc<str>)> {
    let mut taken = BTreeSet::new();
    let mut files = Vec::new();
    for secret in &mut config.secrets {
        let secret = Arc::make_mut(secret);
        let plain = |letter: char| {
            if letter.is_ascii_alphanumeric() || "-._".contains(letter) { letter } else { '-' }
        };
        let mut stem: String = secret.name.chars().map(plain).collect();
        while !taken.insert(stem.clone()) {
            stem.push('-');
        }
        let mut replace = |source: &mut DataSource, ending: &str| {
            let path = folder.join(format!("{stem}.{ending}"));
            let by_path = DataSource::File(path.to_string_lossy().into_owned());
            if let DataSource::Inline(content) = std::mem::replace(source, by_path) {
                files.push((path, content));
            }
        };
        match &mut secret.kind {
            SecretKind::Tls(tls) => {
                replace(&mut tls.certificate, "crt");
                replace(&mut tls.key, "key");
            }
            SecretKind::Ca(source) => replace(source, "ca"),
            SecretKind::Key(source) => replace(source, "bytes"),
        }
    }
    files
}

/// For the owner only, also where a file is there already.
fn write(folder: &Path, files: &[(PathBuf, Arc<str>)]) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    for (path, content) in files {
        let written = path.with_extension("new");
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&written)?;
        file.write_all(content.as_bytes())?;
        fs::rename(&written, path)?;
    }
    Ok(())
}
