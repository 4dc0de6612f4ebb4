//! A static file as a tree becomes the written form, each resource on its own.

use crate::{
    convert::{self, Problem, Repairs},
    spec,
    tree::{NodeId, Path, Step, Tree},
};
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// Converts what the tree holds. `None` where so much is wrong that there is nothing to check further.
pub(crate) fn read(
    tree: &Tree,
    root: NodeId,
    repairs: &mut Repairs,
    problems: &mut Vec<Problem>,
) -> Option<spec::Config> {
    let mut reader = Reader { tree, repairs, problems };
    let (config, lists) = reader.without_lists::<spec::Config, 4>(
        root,
        &Path::root(),
        ["listeners", "route_tables", "clusters", "secrets"],
    );
    let [listeners, route_tables, clusters, secrets] = lists;
    let listeners = reader.elements(listeners, Reader::whole::<Arc<spec::Listener>>);
    let route_tables = reader.elements(route_tables, Reader::route_table);
    let clusters = reader.elements(clusters, Reader::whole::<Arc<spec::Cluster>>);
    let secrets = reader.elements(secrets, Reader::whole::<Arc<spec::Secret>>);
    let mut config = config?;
    replace(&mut config.listeners, listeners)?;
    replace(&mut config.route_tables, route_tables)?;
    replace(&mut config.clusters, clusters)?;
    replace(&mut config.secrets, secrets)?;
    Some(config)
}

/// A list whose elements are converted one by one.
struct List {
    elements: Vec<NodeId>,
    path: Path,
}

/// The elements of a list.
enum Elements<T> {
    /// The list was converted with what holds it, or is not there.
    Elsewhere,
    All(Vec<T>),
    /// One of them cannot even be guessed, and positions must not shift.
    Lost,
}

struct Reader<'a> {
    tree: &'a Tree,
    repairs: &'a mut Repairs,
    problems: &'a mut Vec<Problem>,
}

impl Reader<'_> {
    fn whole<T: DeserializeOwned>(&mut self, node: NodeId, path: &Path) -> Option<T> {
        let room = convert::MAX_PROBLEMS.saturating_sub(self.problems.len());
        if room == 0 {
            return None;
        }
        let (value, problems) = convert::convert(self.tree, node, path, self.repairs);
        self.problems.extend(problems.into_iter().take(room));
        value
    }

    /// Converts a map as if the lists under these keys were empty.
    fn without_lists<T: DeserializeOwned, const N: usize>(
        &mut self,
        node: NodeId,
        path: &Path,
        keys: [&str; N],
    ) -> (Option<T>, [Option<List>; N]) {
        let aside = keys.map(|key| {
            let list = self.tree.get(node, key)?;
            self.repairs.set_aside(self.tree, list).then_some((key, list))
        });
        let value = self.whole(node, path);
        let lists = aside.map(|aside| {
            let (key, list) = aside?;
            self.repairs.take_back(list);
            Some(List { elements: self.tree.elements(list)?.to_vec(), path: path.key(key) })
        });
        (value, lists)
    }

    fn elements<T>(
        &mut self,
        list: Option<List>,
        mut read: impl FnMut(&mut Self, NodeId, &Path) -> Option<T>,
    ) -> Elements<T> {
        let Some(List { elements, mut path }) = list else { return Elements::Elsewhere };
        let mut values = Some(Vec::with_capacity(elements.len()));
        for (index, node) in elements.into_iter().enumerate() {
            path.push(Step::Index(index));
            match (read(self, node, &path), &mut values) {
                (Some(value), Some(values)) => values.push(value),
                _ => values = None,
            }
            path.pop();
        }
        values.map_or(Elements::Lost, Elements::All)
    }

    fn route_table(&mut self, node: NodeId, path: &Path) -> Option<Arc<spec::RouteTable>> {
        let (table, [hosts]) = self.without_lists::<spec::RouteTable, 1>(node, path, ["virtual_hosts"]);
        let hosts = self.elements(hosts, Reader::virtual_host);
        let mut table = table?;
        replace(&mut table.virtual_hosts, hosts)?;
        Some(Arc::new(table))
    }

    fn virtual_host(&mut self, node: NodeId, path: &Path) -> Option<Arc<spec::VirtualHost>> {
        let (host, [routes]) = self.without_lists::<spec::VirtualHost, 1>(node, path, ["routes"]);
        let routes = self.elements(routes, Reader::whole::<spec::Route>);
        let mut host = host?;
        replace(&mut host.routes, routes)?;
        Some(Arc::new(host))
    }
}

/// Puts the elements of a list that was set aside back.
fn replace<T>(list: &mut Vec<T>, elements: Elements<T>) -> Option<()> {
    match elements {
        Elements::Elsewhere => {}
        Elements::All(elements) => *list = elements,
        Elements::Lost => return None,
    }
    Some(())
}
