//! Route tables: from a request to its route.

use super::{MatchScratch, Outcome, RequestView, VirtualHost, host::HostIndex};
use sluice_filter::Fields;
use std::sync::Arc;

/// Which request goes where. Shared parts: one per virtual host.
#[derive(Debug)]
pub struct RouteTable {
    name: Arc<str>,
    hosts: Arc<HostIndex>,
    virtual_hosts: Box<[Arc<VirtualHost>]>,
}

impl RouteTable {
    pub(crate) fn new(name: Arc<str>, virtual_hosts: Box<[Arc<VirtualHost>]>) -> Self {
        let patterns = virtual_hosts.iter().zip(0..).flat_map(|(virtual_host, number)| {
            virtual_host.spec().hosts.iter().map(move |host| (host, number))
        });
        Self { hosts: Arc::new(HostIndex::new(patterns)), name, virtual_hosts }
    }

    /// The same table with other virtual hosts. The index is shared where each answers for the hosts that the one in its
    /// place answered for.
    pub(crate) fn with_hosts(&self, virtual_hosts: Box<[Arc<VirtualHost>]>) -> Self {
        let mut pairs = self.virtual_hosts.iter().zip(&virtual_hosts);
        let same = |(old, new): (&Arc<VirtualHost>, &Arc<VirtualHost>)| {
            Arc::ptr_eq(old, new) || old.spec().hosts == new.spec().hosts
        };
        if self.virtual_hosts.len() != virtual_hosts.len() || !pairs.all(same) {
            return Self::new(Arc::clone(&self.name), virtual_hosts);
        }
        Self { name: Arc::clone(&self.name), hosts: Arc::clone(&self.hosts), virtual_hosts }
    }

    /// Its name; listeners refer to it.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// In the written order.
    pub fn virtual_hosts(&self) -> &[Arc<VirtualHost>] {
        &self.virtual_hosts
    }

    /// The virtual host that answers for a host (in lower case, without port).
    pub fn virtual_host(&self, host: &str, scratch: &mut MatchScratch) -> Option<&Arc<VirtualHost>> {
        let number = self.hosts.find(host, &mut scratch.patterns)?;
        self.virtual_hosts.get(number as usize)
    }

    /// The route that serves the request. Allocates nothing once `scratch` is warm.
    pub fn find<'t, F: Fields + ?Sized>(
        &'t self,
        request: &RequestView<'_, F>,
        scratch: &mut MatchScratch,
    ) -> Outcome<'t> {
        let Some(virtual_host) = self.virtual_host(request.host, scratch) else { return Outcome::NoHost };
        match virtual_host.find(request, scratch) {
            Some((route, info)) => Outcome::Found(route, info),
            None => Outcome::NoRoute,
        }
    }
}
