//! `sluice explain`.

use crate::{check, failure::Failure, file::Folder, manifests::Input, output, told::Told};
use clap::Args;
use sluice_core::{
    explain::{Question, explain},
    snapshot::{self, NoChains},
};
use std::{
    net::IpAddr,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Say where a request would go, and why.
///
/// Shows the listener, the virtual host, the route and the destination that would serve the request, and what the
/// nearest others lacked. Nothing is opened or connected, so it works for a configuration that runs elsewhere.
///
/// A folder is one of Kubernetes manifests, as `sluice gateway --manifests` serves it: routes name their objects.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sluice explain proxy.yaml --host shop.example.com --path /cart
  sluice explain proxy.yaml --path '/search?q=tea' --method POST --header 'x-user: ann' --cookie canary=always
  sluice explain proxy.yaml --listener web --source 10.1.2.3 --path /admin
  sluice explain shop/ --port 443 --host shop.example.com --path /cart

Exit codes: 0 explained (also when the answer is that nothing matches), 1 the configuration is wrong.")]
pub(crate) struct Explain {
    /// The configuration, or the folder of manifests; `-` reads standard input.
    #[arg(required_unless_present = "cluster")]
    file: Option<PathBuf>,
    /// Read the objects of a Kubernetes API server once, in place of a folder: of the one that --kubeconfig names, or of the
    /// cluster in which this process runs.
    #[arg(long, conflicts_with = "file")]
    cluster: bool,
    /// The host that the request names, with a port if the client would send one.
    #[arg(long, default_value = "localhost")]
    host: String,
    /// The server name (SNI) of the TLS handshake; without it, the host. Counts where the listener has TLS scopes.
    #[arg(long, value_name = "NAME")]
    sni: Option<String>,
    /// The path, with a query if there is one.
    #[arg(long, default_value = "/")]
    path: String,
    /// The method.
    #[arg(long, default_value = "GET")]
    method: String,
    /// A header field, `name: value`. May be given several times.
    #[arg(long, value_name = "NAME: VALUE", value_parser = parse_header)]
    header: Vec<(String, String)>,
    /// A cookie, `name=value`. May be given several times.
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_cookie)]
    cookie: Vec<String>,
    /// The client address.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    source: IpAddr,
    /// The port that the request comes in on; picks the listener.
    #[arg(long, conflicts_with = "listener")]
    port: Option<u16>,
    /// The listener, by name; without it and `--port`, the first one.
    #[arg(long)]
    listener: Option<String>,
    #[command(flatten)]
    told: Told,
}

impl Explain {
    pub(crate) fn execute(self) -> Result<ExitCode, Failure> {
        let config = match Input::read(self.file.as_deref(), &self.told)? {
            Input::Manifests(manifests) => manifests.usable()?,
            Input::Config(source) => {
                match sluice_model::load(&source, &Folder::of(self.file.as_deref().unwrap_or(Path::new("-"))))
                {
                    Ok(loaded) => loaded.config,
                    Err(found) => {
                        check::show(&source, &found, false)?;
                        return Err(Failure::configuration(format!("{} is not usable", source.name)));
                    }
                }
            }
        };
        let snapshot = snapshot::compile(None, &config, &NoChains);
        let mut fields = self.header;
        fields.extend(self.cookie.into_iter().map(|cookie| ("cookie".to_owned(), cookie)));
        let question = Question {
            listener: self.listener,
            port: self.port,
            method: self.method,
            authority: self.host,
            server_name: self.sni,
            target: self.path,
            fields,
            source: self.source,
        };
        output::print(&explain(&snapshot, &question).to_string())?;
        Ok(ExitCode::SUCCESS)
    }
}

fn parse_header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("write `name: value`")?;
    let name = name.trim();
    if name.is_empty() || !name.bytes().all(sluice_model::value::is_token_byte) {
        return Err(format!("`{name}` is not a header name"));
    }
    Ok((name.to_ascii_lowercase(), value.trim().to_owned()))
}

fn parse_cookie(text: &str) -> Result<String, String> {
    if text.contains('=') { Ok(text.to_owned()) } else { Err("write `name=value`".to_owned()) }
}
