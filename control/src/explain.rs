//! `sluice explain`.

use crate::{admin_client, check, failure::Failure, file::Folder, manifests::Input, output, told::Served};
use clap::Args;
use sluice_core::{
    explain::{Question, explain},
    snapshot::{self, NoChains},
};
use std::{
    collections::BTreeMap,
    net::IpAddr,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Say where a request would go, and why.
///
/// Shows the listener, the virtual host, the route and the destination that would serve the request, and what the
/// nearest others lacked. Nothing is opened or connected, so it works for a configuration that runs elsewhere.
///
/// A folder is one of Kubernetes manifests, as `sluice gateway --manifests` serves it: routes name their objects, and objects
/// that want the same host and lost are named too. `--admin` asks a running proxy or gateway about what it serves now.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sluice explain proxy.yaml --host shop.example.com --path /cart
  sluice explain proxy.yaml --path '/search?q=tea' --method POST --header 'x-user: ann' --cookie canary=always
  sluice explain proxy.yaml --listener web --source 10.1.2.3 --path /admin
  sluice explain shop/ --port 443 --host shop.example.com --path /cart
  sluice explain --admin 127.0.0.1:15000 --host shop.example.com --path /cart

Exit codes: 0 explained (also when the answer is that nothing matches), 1 the configuration is wrong, 4 nobody answers
at the admin address.")]
pub(crate) struct Explain {
    /// The configuration, or the folder of manifests; `-` reads standard input.
    #[arg(value_name = "PATH", required_unless_present_any = ["cluster", "admin"])]
    file: Option<PathBuf>,
    /// Read the objects of a Kubernetes API server once, in place of a folder: of the one that --kubeconfig names, or of the
    /// cluster in which this process runs.
    #[arg(long, conflicts_with = "file")]
    cluster: bool,
    /// The admin endpoint of a running process to ask: `127.0.0.1:15000`, or its URL.
    #[arg(long, value_name = "ADDRESS", conflicts_with_all = ["file", "cluster"])]
    admin: Option<String>,
    /// The host that the request names, with a port if the client would send one.
    #[arg(long, default_value = "localhost")]
    host: String,
    /// The server name (SNI) of the TLS handshake; without it, the host. Counts where the listener has TLS scopes.
    #[arg(long, value_name = "NAME")]
    sni: Option<String>,
    /// The path, with a query if there is one.
    #[arg(long, default_value = "/", value_parser = parse_path)]
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
    /// The port that the request comes in on, as objects name it or as --port-map has it; picks the listener.
    #[arg(long, conflicts_with = "listener")]
    port: Option<u16>,
    /// The listener, by name; without it and `--port`, the first one.
    #[arg(long)]
    listener: Option<String>,
    #[command(flatten)]
    served: Served,
}

impl Explain {
    pub(crate) fn execute(self) -> Result<ExitCode, Failure> {
        if let Some(admin) = &self.admin {
            return self.ask(admin);
        }
        let mut others = String::new();
        let config = match Input::of(self.file.as_deref(), &self.served)? {
            Input::Manifests(manifests) => {
                others = manifests.contenders(&self.host);
                manifests.usable_in_short()?
            }
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
        let fields = self.fields();
        let question = Question {
            listener: self.listener,
            port: self.port,
            bound: BTreeMap::new(),
            method: self.method,
            authority: self.host,
            server_name: self.sni,
            target: self.path,
            fields,
            source: self.source,
        };
        output::print(&(explain(&snapshot, &question).to_string() + &others))?;
        Ok(ExitCode::SUCCESS)
    }

    /// Asks a running process.
    fn ask(&self, admin: &str) -> Result<ExitCode, Failure> {
        let mut query = vec![
            ("method", self.method.clone()),
            ("host", self.host.clone()),
            ("path", self.path.clone()),
            ("source", self.source.to_string()),
        ];
        query.extend(self.sni.clone().map(|name| ("sni", name)));
        query.extend(self.port.map(|port| ("port", port.to_string())));
        query.extend(self.listener.clone().map(|name| ("listener", name)));
        query.extend(self.fields().into_iter().map(|(name, value)| ("header", format!("{name}: {value}"))));
        output::print(&admin_client::get(admin, "/explain", &query)?)?;
        Ok(ExitCode::SUCCESS)
    }

    fn fields(&self) -> Vec<(String, String)> {
        let cookies = self.cookie.iter().map(|cookie| ("cookie".to_owned(), cookie.clone()));
        self.header.iter().cloned().chain(cookies).collect()
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

fn parse_path(text: &str) -> Result<String, String> {
    // `OPTIONS *` has no other path.
    if text.starts_with('/') || text == "*" {
        Ok(text.to_owned())
    } else {
        Err("a path begins with `/`".to_owned())
    }
}

fn parse_cookie(text: &str) -> Result<String, String> {
    if text.contains('=') { Ok(text.to_owned()) } else { Err("write `name=value`".to_owned()) }
}
