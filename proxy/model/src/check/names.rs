//! Names and references: unique, existing, of the right kind, and used.

use super::{At, Context};
use crate::{
    config::Index,
    convert::{brief, did_you_mean, nearest},
    kept::Indexes,
    spec::{self, SecretKind},
};
use std::collections::{HashMap, HashSet};

/// The longest name. Names stand in metrics, logs and the admin interface; those that are made of Kubernetes objects hold
/// several names of those.
const MAX_BYTES: usize = 2048;
/// How many comparisons the search for similar names may cost in one configuration.
const MAX_COMPARISONS: usize = 200_000;

/// What can be referred to, and what was.
pub(super) struct Names<'a> {
    config: &'a spec::Config,
    indexes: Indexes,
    used: HashSet<(Kind, &'a str)>,
    comparisons: usize,
}

/// What a name is the name of.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    RouteTable,
    Cluster,
    /// A secret of this kind.
    Secret(&'static str),
}

impl<'a> Names<'a> {
    pub(super) fn of(config: &'a spec::Config, indexes: Indexes) -> Self {
        Self { config, indexes, used: HashSet::new(), comparisons: 0 }
    }

    fn of_kind(&self, kind: Kind) -> &Index {
        match kind {
            Kind::RouteTable => &self.indexes.route_tables,
            Kind::Cluster => &self.indexes.clusters,
            Kind::Secret(_) => &self.indexes.secrets,
        }
    }

    fn known(&self, kind: Kind, name: &str) -> bool {
        self.of_kind(kind).contains_key(name)
    }

    /// The kind of the secret of this name.
    fn secret(&self, name: &str) -> Option<&'static str> {
        let place = self.indexes.secrets.get(name)?;
        Some(kind_of(&self.config.secrets[*place].kind))
    }

    fn nearest(&mut self, kind: Kind, name: &str) -> Option<String> {
        self.comparisons += self.of_kind(kind).len();
        if self.comparisons > MAX_COMPARISONS {
            return None;
        }
        let fits = |known: &&str| match kind {
            Kind::Secret(kind) => self.secret(known) == Some(kind),
            Kind::RouteTable | Kind::Cluster => true,
        };
        let mut known: Vec<&str> = self.of_kind(kind).keys().map(|known| &**known).filter(fits).collect();
        known.sort_unstable();
        nearest(name, known).map(str::to_owned)
    }
}

impl Kind {
    const fn noun(self) -> &'static str {
        match self {
            Self::RouteTable => "route table",
            Self::Cluster => "cluster",
            Self::Secret(_) => "secret",
        }
    }
}

pub(super) const fn kind_of(kind: &SecretKind) -> &'static str {
    match kind {
        SecretKind::Tls(_) => "tls",
        SecretKind::Ca(_) => "ca",
        SecretKind::Key(_) => "key",
    }
}

/// A reference must lead to something of the right kind.
pub(super) fn refer<'a>(cx: &mut Context<'a>, at: At<'_>, kind: Kind, name: &'a str) {
    if cx.names.known(kind, name) {
        cx.names.used.insert((plain(kind), name));
        if let (Kind::Secret(wanted), Some(found)) = (kind, cx.names.secret(name))
            && wanted != found
        {
            cx.error(at, format!("secret `{}` is of kind `{found}`, not `{wanted}`", brief(name)));
        }
        return;
    }
    let meant = cx.names.nearest(kind, name);
    let all_known = match kind {
        Kind::RouteTable => cx.sound.route_tables,
        Kind::Cluster => cx.sound.clusters,
        Kind::Secret(_) => cx.sound.secrets,
    };
    if meant.is_none() && !all_known {
        // The one that was meant may be among what could not be read.
        return;
    }
    let finding = cx.error(at, format!("unknown {} `{}`", kind.noun(), brief(name)));
    if let Some(meant) = meant {
        finding.suggest(did_you_mean(&meant));
    }
}

const fn plain(kind: Kind) -> Kind {
    match kind {
        Kind::Secret(_) => Kind::Secret(""),
        kind => kind,
    }
}

/// Each name of a list is well formed and stands there once.
pub(super) fn unique<'n>(cx: &mut Context<'_>, at: At<'_>, noun: &str, names: impl Iterator<Item = &'n str>) {
    let mut seen: HashMap<&str, usize> = HashMap::new();
    for (index, name) in names.enumerate() {
        let here = at.index(index);
        let here = here.key("name");
        if name.is_empty() {
            cx.error(here, "a name must not be empty");
            continue;
        }
        if name.len() > MAX_BYTES {
            cx.error(here, format!("a name may have {MAX_BYTES} bytes, this one has {}", name.len()));
        }
        if name.chars().any(char::is_control) {
            cx.error(here, "a name must not hold control characters");
        }
        if let Some(first) = seen.get(name) {
            let first = at.index(*first).path();
            cx.error(here, format!("{noun} `{}` exists already, see {first}", brief(name)));
        } else {
            seen.insert(name, index);
        }
    }
}

/// What nothing refers to is only worth a remark: it may be about to be used.
pub(super) fn check_use(cx: &mut Context<'_>, config: &spec::Config, root: At<'_>) {
    if !cx.sound.whole {
        return;
    }
    let tables = config.route_tables.iter().map(|table| &*table.name);
    let clusters = config.clusters.iter().map(|cluster| &*cluster.name);
    let secrets = config.secrets.iter().map(|secret| &*secret.name);
    unused(cx, root.key("route_tables"), Kind::RouteTable, tables);
    unused(cx, root.key("clusters"), Kind::Cluster, clusters);
    unused(cx, root.key("secrets"), Kind::Secret(""), secrets);
}

fn unused<'n>(cx: &mut Context<'_>, at: At<'_>, kind: Kind, names: impl Iterator<Item = &'n str>) {
    for (index, name) in names.enumerate() {
        if !cx.names.used.contains(&(kind, name)) {
            cx.info(at.index(index), format!("nothing uses {} `{}`", kind.noun(), brief(name)));
        }
    }
}
