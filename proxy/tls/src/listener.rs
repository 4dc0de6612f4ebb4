//! TLS at a listener: the server name picks a scope, the scope goes on with the handshake.

use crate::{
    error::{HandshakeError, HandshakeFailure},
    server::ServerTls,
    stream::{Session, TlsStream},
};
use rustls::server::Acceptor;
use sluice_core::scope::{Scope, TlsScopes};
use std::{borrow::Cow, io, sync::Arc};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio_rustls::LazyConfigAcceptor;

/// TLS at one listener: a [`ServerTls`] for what it has of its own, and one for each of its scopes.
#[derive(Debug)]
pub struct ListenerTls {
    default: Option<Arc<ServerTls>>,
    scoped: Option<Scoped>,
}

#[derive(Debug)]
struct Scoped {
    scopes: TlsScopes,
    /// By place of the scope; one without certificates has none.
    servers: Box<[Option<Arc<ServerTls>>]>,
}

/// A fatal `unrecognized_name` alert (RFC 6066 section 3) in a plaintext record.
const UNRECOGNIZED_NAME: [u8; 7] = [21, 3, 3, 0, 2, 2, 112];

// === impl ListenerTls ===

impl ListenerTls {
    /// `servers` are those of the scopes, in their order.
    pub(crate) fn new(
        default: Option<Arc<ServerTls>>,
        scopes: Option<TlsScopes>,
        servers: Box<[Option<Arc<ServerTls>>]>,
    ) -> Self {
        Self { default, scoped: scopes.map(|scopes| Scoped { scopes, servers }) }
    }

    /// The server of the scope of that name; without a name, the default one.
    pub(crate) fn server(&self, scope: Option<&str>) -> Option<&Arc<ServerTls>> {
        match (scope, &self.scoped) {
            (None, _) => self.default.as_ref(),
            (Some(_), None) => None,
            (Some(_), Some(scoped)) => match scoped.scopes.named(scope)? {
                Scope::Default => self.default.as_ref(),
                Scope::Listed(place) => scoped.servers.get(place)?.as_ref(),
            },
        }
    }

    /// Reads the ClientHello (at most 64 KiB, in any number of records) and finishes the handshake. Never ends by itself
    /// when the client stalls: the caller bounds the time.
    pub async fn accept<S>(&self, stream: S) -> Result<(TlsStream<S>, Session), HandshakeError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut start = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
        let Some((scope, server)) = self.pick(start.client_hello().server_name()) else {
            // The client is refused either way; whether it reads the reason is its own affair.
            let _: io::Result<()> = start.io.write_all(&UNRECOGNIZED_NAME).await;
            let _: io::Result<()> = start.io.shutdown().await;
            return Err(HandshakeError::new(
                HandshakeFailure::UnknownName,
                "no scope or no certificate covers the server name",
            ));
        };
        let stream = TlsStream::new(start.into_stream(Arc::clone(server.config())).await?);
        let session = Session { scope: scope.cloned(), ..stream.session() };
        Ok((stream, session))
    }

    /// The scope for a server name and what serves it; `None` where nothing does.
    fn pick(&self, server_name: Option<&str>) -> Option<(Option<&Arc<str>>, &ServerTls)> {
        let (name, server) = match &self.scoped {
            None => (None, self.default.as_ref()),
            Some(Scoped { scopes, servers }) => {
                match scopes.find(&normal(server_name.unwrap_or_default()))? {
                    Scope::Default => (None, self.default.as_ref()),
                    scope @ Scope::Listed(place) => (scopes.name(scope), servers.get(place)?.as_ref()),
                }
            }
        };
        server.filter(|server| server.takes(server_name)).map(|server| (name, &**server))
    }
}

/// A listener with no scope but the default one.
impl From<ServerTls> for ListenerTls {
    fn from(server: ServerTls) -> Self {
        Self { default: Some(Arc::new(server)), scoped: None }
    }
}

/// In lower case and without a trailing dot, as hosts are compared.
fn normal(name: &str) -> Cow<'_, str> {
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(name.to_ascii_lowercase())
    } else {
        Cow::Borrowed(name)
    }
}
