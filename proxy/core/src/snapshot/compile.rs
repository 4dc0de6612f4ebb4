//! From a validated configuration to a snapshot, taking over from the old one what did not change.

use super::{
    ChainCompiler, Cluster, ClusterId, ClusterLabels, Destinations, EndpointSet, Listener, NOWHERE, Snapshot,
    cluster::Slot,
};
use crate::{
    balance::Balance,
    edits::{CompiledEdits, RouteEdits},
    rewrite::{Redirect, ResponseRewrite, Rewrite},
    route::{Action, DirectResponse, ErrorPages, Mirror, Route, RouteTable, VirtualHost},
    scope::ScopedTables,
    shared::Shared,
    split::{Forward, Names},
};
use sluice_filter::Chain;
use sluice_model::{Config, Secret, SecretContent, places, spec};
use std::{collections::HashMap, net::IpAddr, sync::Arc};

/// Compiles a configuration. Every part that did not change since `old` is the same `Arc` as there. The version is one
/// more than the old one's, 1 without.
pub fn compile(old: Option<&Snapshot>, config: &Config, chains: &dyn ChainCompiler) -> Snapshot {
    let placed = clusters(old, config);
    let keys: Box<[_]> = match old.and_then(|old| Some((old, old.config.as_ref()?))) {
        Some((old, before)) if std::ptr::eq(before.secrets(), config.secrets()) => old.keys.clone(),
        _ => {
            let is_key = |secret: &&Arc<Secret>| matches!(secret.content(), SecretContent::Key(_));
            config.secrets().iter().filter(is_key).cloned().collect()
        }
    };
    let compiler = Compiler {
        placed: &placed,
        config,
        chains,
        // Key changes are rare; then everything is compiled again, which is simple and right.
        old: old.filter(|old| old.keys == keys),
    };
    let tables: Box<[_]> = config.route_tables().iter().map(|table| compiler.table(table)).collect();
    let listeners = listeners(old, config, &tables);
    let Placed { clusters, slots, ids_hold: _ } = placed;
    let version = old.map_or(0, Snapshot::version) + 1;
    Snapshot { version, listeners, tables, clusters, slots, config: Some(config.clone()), keys }
}

fn listeners(old: Option<&Snapshot>, config: &Config, tables: &[Arc<RouteTable>]) -> Box<[Arc<Listener>]> {
    let tables: HashMap<&str, &Arc<RouteTable>> =
        tables.iter().map(|table| (&**table.name(), table)).collect();
    let listener = |spec: &Arc<sluice_model::Listener>| {
        let table = Arc::clone(tables.get(&*spec.route_table)?);
        let scopes = ScopedTables::compile(spec, &table, |name| tables.get(name).copied());
        let destinations = Destinations::compile(spec, |name| tables.get(name).copied());
        let public_port = spec.public_port.map(|port| port.to_string().into());
        let new = Listener { spec: Arc::clone(spec), table, scopes, destinations, public_port };
        let unchanged = old.and_then(|old| old.listener(&spec.name)).filter(|old| old.same(&new));
        Some(unchanged.cloned().unwrap_or_else(|| Arc::new(new)))
    };
    config.listeners().iter().filter_map(listener).collect()
}

/// Clusters in their slots.
struct Placed {
    clusters: Arc<[Slot]>,
    /// See [`Snapshot::slots`].
    slots: Arc<[u32]>,
    /// Every name has the id that it had, and no other name has one.
    ids_hold: bool,
}

fn clusters(old: Option<&Snapshot>, config: &Config) -> Placed {
    let before = old.and_then(|old| Some((old, old.config.as_ref()?)));
    before
        .and_then(|(old, before)| in_place(old, before.clusters(), config.clusters()))
        .unwrap_or_else(|| place(old, config))
}

/// Where the same clusters stand in the same order, each keeps its slot; `None` where they do not.
fn in_place(
    old: &Snapshot,
    before: &[Arc<sluice_model::Cluster>],
    now: &[Arc<sluice_model::Cluster>],
) -> Option<Placed> {
    if before.len() != now.len() {
        return None;
    }
    let pairs = || before.iter().zip(now).enumerate();
    let changed: Vec<usize> =
        pairs().filter(|(_, (before, now))| !Arc::ptr_eq(before, now)).map(|(place, _)| place).collect();
    let named_alike = |place: &usize| {
        let (before, now) = (&before[*place], &now[*place]);
        before.name == now.name && before.unavailable == now.unavailable
    };
    if !changed.iter().all(named_alike) {
        return None;
    }
    let mut clusters = Arc::clone(&old.clusters);
    for place in changed {
        let number = old.slots[place];
        if number != NOWHERE && !is_current(&clusters[number as usize], &now[place]) {
            fill(&mut Arc::make_mut(&mut clusters)[number as usize], number, &now[place]);
        }
    }
    Some(Placed { clusters, slots: Arc::clone(&old.slots), ids_hold: true })
}

/// Clusters keep their slots. What is unavailable has none, so nothing finds it. A free slot is used again under another
/// generation.
fn place(old: Option<&Snapshot>, config: &Config) -> Placed {
    let mut slots: Vec<Slot> = old.map(|old| old.clusters.to_vec()).unwrap_or_default();
    let mut known: HashMap<Arc<str>, u32> = HashMap::new();
    let mut ids_hold = old.is_some();
    for (number, slot) in (0..).zip(&mut slots) {
        match &slot.cluster {
            Some(cluster) if config.cluster(&cluster.name).is_some_and(|cluster| !cluster.unavailable) => {
                known.insert(Arc::clone(&cluster.name), number);
            }
            Some(_) => {
                slot.cluster = None;
                slot.generation = slot.generation.wrapping_add(1);
                ids_hold = false;
            }
            None => {}
        }
    }
    let mut free: Vec<u32> =
        (0..).zip(&slots).filter(|(_, slot)| slot.cluster.is_none()).map(|(number, _)| number).collect();
    let mut numbers = Vec::with_capacity(config.clusters().len());
    for spec in config.clusters() {
        if spec.unavailable {
            numbers.push(NOWHERE);
            continue;
        }
        let number = known.get(&*spec.name).copied().unwrap_or_else(|| {
            ids_hold = false;
            free.pop().unwrap_or_else(|| {
                slots.push(Slot::default());
                slots.len() as u32 - 1
            })
        });
        numbers.push(number);
        let slot = &mut slots[number as usize];
        if !is_current(slot, spec) {
            fill(slot, number, spec);
        }
    }
    Placed { clusters: slots.into(), slots: numbers.into(), ids_hold }
}

fn is_current(slot: &Slot, spec: &Arc<sluice_model::Cluster>) -> bool {
    slot.cluster.as_ref().is_some_and(|cluster| cluster.spec == *spec)
}

/// Puts a cluster into its slot, with what its endpoints were known as.
fn fill(slot: &mut Slot, number: u32, spec: &Arc<sluice_model::Cluster>) {
    let endpoints = match &slot.cluster {
        Some(old) if old.spec.endpoints == spec.endpoints => Arc::clone(&old.endpoints),
        old => resolved_as_before(spec, old.as_deref()),
    };
    let name = slot.cluster.as_ref().map(|old| Arc::clone(&old.name));
    let before = slot.cluster.as_ref().map(|old| (&old.balance, &*old.endpoints));
    let balance = Balance::compile(&spec.balancer, &endpoints, before);
    let before = slot.cluster.as_ref().map(|old| (&old.shared, &*old.endpoints));
    let shared = Shared::compile(spec, &endpoints, before);
    slot.cluster = Some(Arc::new(Cluster {
        id: ClusterId { slot: number, generation: slot.generation },
        name: name.unwrap_or_else(|| spec.name.as_str().into()),
        spec: Arc::clone(spec),
        endpoints,
        balance,
        shared,
        labels: spec.labels.as_ref().map(|labels| Arc::new(ClusterLabels::compile(labels))),
    }));
}

/// A changed cluster keeps what its names resolved to until the next answer.
fn resolved_as_before(spec: &spec::Cluster, old: Option<&Cluster>) -> Arc<EndpointSet> {
    let mut answers: HashMap<&str, Vec<IpAddr>> = HashMap::new();
    for endpoint in old.iter().flat_map(|old| old.endpoints.endpoints()) {
        let addresses = answers.entry(&endpoint.host).or_default();
        if !addresses.contains(&endpoint.address.ip()) {
            addresses.push(endpoint.address.ip());
        }
    }
    Arc::new(EndpointSet::resolve(spec, |name| answers.get(name).map(Vec::as_slice)))
}

struct Compiler<'c> {
    placed: &'c Placed,
    config: &'c Config,
    chains: &'c dyn ChainCompiler,
    old: Option<&'c Snapshot>,
}

impl Compiler<'_> {
    fn table(&self, table: &Arc<sluice_model::RouteTable>) -> Arc<RouteTable> {
        let old = self.old.and_then(|old| Some((old, old.config.as_ref()?.route_table(table.name())?)));
        let old = old.and_then(|(old, before)| {
            Some((old.tables.iter().find(|old| old.name() == table.name())?, before))
        });
        let Some((old, before)) = old else {
            let virtual_hosts = table.virtual_hosts().iter().map(|spec| self.virtual_host(spec)).collect();
            return Arc::new(RouteTable::new(Arc::clone(table.name()), virtual_hosts));
        };
        if self.placed.ids_hold && Arc::ptr_eq(before, table) {
            return Arc::clone(old);
        }
        // Compiled hosts stand where they were written.
        let places = places(table.virtual_hosts(), before.virtual_hosts());
        let mut kept = vec![false; old.virtual_hosts().len()];
        for place in places.iter().flatten() {
            kept[*place] = true;
        }
        let others = old.virtual_hosts().iter().zip(&kept).filter(|(_, kept)| !**kept);
        let others: HashMap<&str, &Arc<VirtualHost>> =
            others.map(|(host, _)| (&**host.name(), host)).collect();
        let virtual_hosts: Box<[_]> = table
            .virtual_hosts()
            .iter()
            .zip(&places)
            .map(|(spec, place)| {
                let same = place.map(|place| &old.virtual_hosts()[place]);
                let equal = || others.get(spec.name.as_str()).copied().filter(|old| old.spec() == spec);
                let unchanged = same.or_else(equal).filter(|old| self.current(old));
                unchanged.map_or_else(|| self.virtual_host(spec), Arc::clone)
            })
            .collect();
        if old.virtual_hosts().len() == virtual_hosts.len()
            && old.virtual_hosts().iter().zip(&virtual_hosts).all(|(old, new)| Arc::ptr_eq(old, new))
        {
            return Arc::clone(old);
        }
        Arc::new(old.with_hosts(virtual_hosts))
    }

    /// Whether every cluster that the routes name still has the id they know: one that went and came back has not.
    fn current(&self, host: &VirtualHost) -> bool {
        if self.placed.ids_hold {
            return true;
        }
        let holds = |id: ClusterId, name: &str| self.cluster(name) == id;
        host.routes().iter().all(|route| {
            let forward = match &route.action {
                Action::Forward(forward) => {
                    let mut all = forward.destinations().iter().chain(forward.canaries());
                    all.all(|destination| holds(destination.cluster, &destination.cluster_name))
                }
                Action::Redirect(_) | Action::Respond(_) => true,
            };
            let pages = route.error_pages.iter().all(|pages| holds(pages.cluster, &pages.cluster_name));
            let mut mirrors = route.mirrors.iter();
            forward && pages && mirrors.all(|mirror| holds(mirror.cluster, &mirror.cluster_name))
        })
    }

    fn virtual_host(&self, spec: &Arc<sluice_model::VirtualHost>) -> Arc<VirtualHost> {
        let name: Arc<str> = spec.name.as_str().into();
        let routes = spec.routes.iter().map(|route| self.route(route, &name)).collect();
        Arc::new(VirtualHost::new(Arc::clone(spec), name, routes))
    }

    fn route(&self, route: &spec::Route, virtual_host: &Arc<str>) -> Arc<Route> {
        let chain: Option<Arc<dyn Chain>> =
            if route.filters.is_empty() { None } else { self.chains.compile(&route.filters) };
        Arc::new(Route {
            name: route.name.as_str().into(),
            virtual_host: Arc::clone(virtual_host),
            origin: route.origin.as_deref().map(Into::into),
            delegate: route.delegate.as_deref().map(Into::into),
            labels: route.labels.clone().map(Arc::new),
            action: match &route.action {
                spec::Action::Forward(forward) => Action::Forward(Forward::compile(forward, self)),
                spec::Action::Redirect(redirect) => Action::Redirect(Redirect::compile(redirect)),
                spec::Action::Respond(response) => Action::Respond(DirectResponse::from(response)),
            },
            rewrite: Rewrite::compile(&route.rewrite),
            response_rewrite: ResponseRewrite::compile(&route.response_rewrite).map(Box::new),
            edits: RouteEdits::compile(&route.headers),
            timeouts: (&route.timeouts).into(),
            retry: (&route.retry).into(),
            max_body: route.max_body.map(sluice_model::value::Size::get),
            error_pages: route
                .error_pages
                .as_ref()
                .map(|pages| Box::new(ErrorPages::compile(pages, self.cluster(&pages.cluster)))),
            mirrors: route
                .mirrors
                .iter()
                .map(|mirror| Mirror {
                    cluster: self.cluster(&mirror.cluster),
                    cluster_name: mirror.cluster.as_str().into(),
                    percent: mirror.percent,
                    host: mirror.host.as_deref().map(Into::into),
                    target: mirror.target.clone(),
                    edits: CompiledEdits::compile(&mirror.headers),
                })
                .collect(),
            chain,
        })
    }
}

impl Names for Compiler<'_> {
    fn cluster(&self, name: &str) -> ClusterId {
        let id = || {
            let slot = *self.placed.slots.get(self.config.cluster_place(name)?)?;
            Some(self.placed.clusters.get(slot as usize)?.cluster.as_ref()?.id)
        };
        id().unwrap_or(ClusterId::UNKNOWN)
    }

    fn key(&self, name: &str) -> &[u8] {
        match self.config.secret(name).map(|secret| secret.content()) {
            Some(SecretContent::Key(key)) => key,
            _ => &[],
        }
    }
}

impl From<&spec::DirectResponse> for DirectResponse {
    fn from(response: &spec::DirectResponse) -> Self {
        let plain = (!response.body.is_empty()).then(|| "text/plain".into());
        Self {
            status: response.status.get(),
            body: bytes::Bytes::copy_from_slice(response.body.as_bytes()),
            content_type: response.content_type.as_deref().map(Into::into).or(plain),
        }
    }
}
