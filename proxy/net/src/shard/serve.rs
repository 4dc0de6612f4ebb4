//! From an accepted socket to the codec that serves it.

use super::Shard;
use crate::ListenerState;
use std::{
    net::{SocketAddr, TcpStream},
    rc::Rc,
    sync::Arc,
};

/// Serves a connection in a task of its own.
pub(super) fn spawn(shard: &Rc<Shard>, stream: TcpStream, peer: SocketAddr, listener: &Arc<ListenerState>) {
    let _ = (shard, stream, peer, listener);
}
