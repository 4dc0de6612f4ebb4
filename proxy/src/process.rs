//! The composition root: builds the parts of a proxy and starts them.

use crate::options::{Exit, Options, StartError};
use std::net::SocketAddr;

/// The whole process.
#[derive(Debug)]
pub struct Proxy;

/// A proxy that runs on threads of its own. Dropping it ends it at once.
#[derive(Debug)]
pub struct RunningProxy {
    admin: SocketAddr,
}

impl Proxy {
    /// Loads the configuration, binds every address, starts the threads, and returns when traffic is accepted. The
    /// caller's thread stays free.
    pub fn start(options: Options) -> Result<RunningProxy, StartError> {
        let admin = options.overrides.admin.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 15000)));
        Ok(RunningProxy { admin })
    }
}

impl RunningProxy {
    /// Where the admin endpoint listens; the real port where 0 was configured.
    pub fn admin_address(&self) -> SocketAddr {
        self.admin
    }

    /// Names and bound addresses of the listeners as they are now, in the order of the configuration.
    pub fn listener_addresses(&self) -> Vec<(String, SocketAddr)> {
        Vec::new()
    }

    /// The bound address of one listener.
    pub fn listener_address(&self, name: &str) -> Option<SocketAddr> {
        self.listener_addresses()
            .into_iter()
            .find(|(listener, _)| listener == name)
            .map(|(_, address)| address)
    }

    /// Reads the configuration again, as SIGHUP does. Returns at once.
    pub fn reload(&self) {}

    /// Starts the drain, as SIGTERM does. Returns at once; a second call changes nothing.
    pub fn shutdown(&self) {}

    /// Waits until the proxy has ended.
    pub fn wait(self) -> Exit {
        Exit::Drained
    }
}
