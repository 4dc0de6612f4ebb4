//! From command line and environment to a client of an API server.

use super::{Api, trouble::chain};
use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use std::path::PathBuf;

/// In a pod, this names the API server.
const IN_CLUSTER: &str = "KUBERNETES_SERVICE_HOST";

/// Which API server, and how it is reached.
#[derive(Debug, Clone, Default)]
pub(crate) struct Access {
    /// `--kubeconfig`; absent, the pod's environment counts, then `KUBECONFIG` and `~/.kube/config`.
    pub(crate) kubeconfig: Option<PathBuf>,
    /// `--context`; absent, the current one of the kubeconfig.
    pub(crate) context: Option<String>,
    /// `--apiserver-host`, in place of the server that would be asked otherwise.
    pub(crate) server: Option<String>,
    /// `--certificate-authority`, in place of the one that would be trusted otherwise.
    pub(crate) authority: Option<PathBuf>,
}

impl Access {
    /// Whether the command line names a cluster.
    pub(crate) fn is_named(&self) -> bool {
        self.kubeconfig.is_some() || self.context.is_some() || self.server.is_some()
    }

    /// The server and its URL. Nothing is sent yet. Works inside of a runtime.
    pub(crate) async fn api(&self) -> Result<(Api, String), String> {
        let mut config = self.config().await?;
        if let Some(authority) = &self.authority {
            config.root_cert_file = Some(authority.clone());
        }
        // Watches know better when to try again, and servers may be silent as long as a watch lives.
        config.default_retry = false;
        config.read_timeout = None;
        let url = config.cluster_url.to_string();
        let client = Client::try_from(config)
            .map_err(|error| format!("the API server {url} cannot be used: {}", chain(&error)))?;
        Ok((Api::new(client), url))
    }

    async fn config(&self) -> Result<Config, String> {
        let server = match &self.server {
            None => None,
            Some(text) => {
                Some(text.parse::<http::Uri>().ok().filter(|url| url.host().is_some()).ok_or_else(|| {
                    format!("--apiserver-host {text}: this is no URL; write it like https://10.0.0.1:6443")
                })?)
            }
        };
        let in_cluster = std::env::var_os(IN_CLUSTER).is_some();
        let found = match (&self.kubeconfig, &self.context) {
            (None, None) if in_cluster => Config::incluster_env()
                .map_err(|error| format!("this pod cannot use its service account: {}", chain(&error))),
            _ => self.of_kubeconfig().await,
        };
        match (found, server) {
            (Ok(mut config), Some(server)) => {
                config.cluster_url = server;
                Ok(config)
            }
            // As with `kubectl proxy`: a server that needs to be told nothing.
            (Err(_), Some(server)) if self.kubeconfig.is_none() && self.context.is_none() => {
                Ok(Config::new(server))
            }
            (found, _) => found,
        }
    }

    async fn of_kubeconfig(&self) -> Result<Config, String> {
        let options = KubeConfigOptions { context: self.context.clone(), ..KubeConfigOptions::default() };
        let name = self.kubeconfig.as_ref().map_or_else(
            || "KUBECONFIG or ~/.kube/config".to_owned(),
            |path| format!("--kubeconfig {}", path.display()),
        );
        let loaded = match &self.kubeconfig {
            Some(path) => Kubeconfig::read_from(path),
            None => Kubeconfig::read(),
        };
        let config = match loaded {
            Ok(kubeconfig) => Config::from_custom_kubeconfig(kubeconfig, &options).await,
            Err(error) => Err(error),
        };
        config.map_err(|error| {
            let context = self.context.iter().map(|context| format!(", --context {context}"));
            let context: String = context.collect();
            let elsewhere = if self.is_named() {
                String::new()
            } else {
                format!(", and this process runs in no pod ({IN_CLUSTER} is not set)")
            };
            format!("no cluster can be found with {name}{context}: {}{elsewhere}", chain(&error))
        })
    }
}
