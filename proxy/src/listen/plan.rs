//! What a new configuration means for the sockets that are open.

use super::bind;
use crate::{options::StartError, shard::SocketId};
use sluice_model::Config;
use sluice_net::ListenerState;
use std::{
    collections::BTreeMap,
    net::{SocketAddr, TcpListener},
    sync::Arc,
};

/// A listener whose sockets are open.
#[derive(Debug, Clone)]
pub(crate) struct Bound {
    pub(crate) id: SocketId,
    pub(crate) name: Arc<str>,
    /// As configured; port 0 stays 0.
    pub(crate) requested: SocketAddr,
    /// As bound.
    pub(crate) address: SocketAddr,
    pub(crate) state: Arc<ListenerState>,
}

/// How to get from the open listeners to the configured ones. Sockets of new ones are bound and listening already.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// All configured listeners, in order.
    pub(crate) bound: Vec<Bound>,
    /// New sockets, one for each shard, or one for the acceptor.
    pub(crate) opened: Vec<(SocketId, Vec<TcpListener>)>,
    /// Sockets that serve a listener of another name from now on, and the state that they served.
    pub(crate) renamed: Vec<(SocketId, Arc<ListenerState>)>,
    /// Listeners that are gone.
    pub(crate) removed: Vec<Bound>,
    /// Configured listeners that are left out because their address cannot be bound.
    pub(crate) failed: Vec<StartError>,
}

/// Binds what is new. `sockets` is how many each listener needs. An address that cannot be bound refuses the configuration;
/// with `each_alone`, where listeners belong to different people, only its listener is left out.
pub(crate) fn plan(
    open: &[Bound],
    config: &Config,
    moved: &BTreeMap<String, SocketAddr>,
    sockets: usize,
    next_id: &mut SocketId,
    each_alone: bool,
) -> Result<Plan, StartError> {
    let mut plan = Plan { removed: open.to_vec(), ..Plan::default() };
    let wanted: Vec<(Arc<str>, SocketAddr)> = config
        .listeners()
        .iter()
        .map(|listener| {
            let address = moved.get(&listener.name).copied().unwrap_or(listener.address);
            (Arc::from(listener.name.as_str()), address)
        })
        .collect();
    let take = |removed: &mut Vec<Bound>, same: &dyn Fn(&Bound) -> bool| {
        removed.iter().position(same).map(|at| removed.swap_remove(at))
    };
    // Sockets stay where they are first, then go to other names; only what is left is bound.
    let mut kept: Vec<Option<Bound>> = wanted
        .iter()
        .map(|(name, address)| {
            take(&mut plan.removed, &|bound| bound.name == *name && bound.requested == *address)
        })
        .collect();
    for (kept, (name, address)) in kept.iter_mut().zip(&wanted) {
        if kept.is_none()
            && address.port() != 0
            && let Some(bound) = take(&mut plan.removed, &|bound| bound.requested == *address)
        {
            plan.renamed.push((bound.id, bound.state));
            *kept = Some(Bound { name: name.clone(), state: ListenerState::new(name.clone()), ..bound });
        }
    }
    for (kept, (name, requested)) in kept.into_iter().zip(wanted) {
        let bound = match kept {
            Some(bound) => bound,
            None => match opened(&name, requested, sockets) {
                Ok((address, opened)) => {
                    *next_id += 1;
                    plan.opened.push((*next_id, opened));
                    let state = ListenerState::new(name.clone());
                    Bound { id: *next_id, name, requested, address, state }
                }
                Err(error) if each_alone => {
                    plan.failed.push(error);
                    continue;
                }
                Err(error) => return Err(error),
            },
        };
        plan.bound.push(bound);
    }
    Ok(plan)
}

fn opened(
    name: &str,
    requested: SocketAddr,
    sockets: usize,
) -> Result<(SocketAddr, Vec<TcpListener>), StartError> {
    let failed = |source| StartError::Listener { listener: name.to_owned(), address: requested, source };
    let opened = bind(requested, sockets).map_err(failed)?;
    let address = opened.first().map_or(Ok(requested), TcpListener::local_addr).map_err(failed)?;
    Ok((address, opened))
}
