//! TLS scopes: which of the servers behind one listener a name belongs to.
//!
//! The same index is asked twice: for the server name of a handshake, to pick certificates, and for the host of every
//! request, which must belong to the scope of its connection (421 otherwise).

use crate::route::{HostIndex, RouteTable, pattern::PatternCaches};
use sluice_model::spec;
use std::{collections::HashMap, sync::Arc};

/// A server behind a listener. Means something only with the [`TlsScopes`] that it comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// What the listener has of its own.
    Default,
    /// One of [`spec::ListenerTls::scopes`], by its place there.
    Listed(usize),
}

/// The scopes of a listener that has more than the default one.
#[derive(Debug)]
pub struct TlsScopes {
    names: Box<[Arc<str>]>,
    places: HashMap<Arc<str>, usize, foldhash::fast::RandomState>,
    index: HostIndex,
    has_default: bool,
}

/// The routes of a listener whose TLS has scopes.
#[derive(Debug)]
pub struct ScopedTables {
    scopes: TlsScopes,
    default: Arc<RouteTable>,
    /// By place of the scope.
    tables: Box<[Arc<RouteTable>]>,
}

// === impl TlsScopes ===

impl TlsScopes {
    /// `None` where there is only the default scope.
    pub fn of(tls: &spec::ListenerTls) -> Option<Self> {
        if tls.scopes.is_empty() {
            return None;
        }
        let names: Box<[Arc<str>]> = tls.scopes.iter().map(|scope| scope.name.as_str().into()).collect();
        let patterns = tls
            .scopes
            .iter()
            .zip(0..)
            .flat_map(|(scope, place)| scope.server_names.iter().map(move |pattern| (pattern, place)));
        Some(Self {
            places: names.iter().enumerate().map(|(place, name)| (Arc::clone(name), place)).collect(),
            index: HostIndex::new(patterns),
            has_default: !tls.certificates.is_empty(),
            names,
        })
    }

    /// The scope that a name belongs to; `None` where nobody has it and there is no default. The name is in lower case,
    /// without port and trailing dot; an empty one stands for a client that named none. Allocates nothing.
    pub fn find(&self, name: &str) -> Option<Scope> {
        // Validation lets no expression in, so there is nothing to cache.
        let listed = self.index.find(name, &mut PatternCaches::default());
        listed.map(|place| Scope::Listed(place as usize)).or(self.has_default.then_some(Scope::Default))
    }

    /// The name of a scope; the default one has none.
    pub fn name(&self, scope: Scope) -> Option<&Arc<str>> {
        match scope {
            Scope::Default => None,
            Scope::Listed(place) => self.names.get(place),
        }
    }

    /// The scope of that name, or the default one; `None` where there is none (any more).
    pub fn named(&self, name: Option<&str>) -> Option<Scope> {
        match name {
            None => self.has_default.then_some(Scope::Default),
            Some(name) => self.places.get(name).map(|place| Scope::Listed(*place)),
        }
    }
}

// === impl ScopedTables ===

impl ScopedTables {
    /// `default` is the listener's table; `find` knows the others by name. `None` where there is only the default scope.
    pub(crate) fn compile<'t>(
        listener: &spec::Listener,
        default: &Arc<RouteTable>,
        find: impl Fn(&str) -> Option<&'t Arc<RouteTable>>,
    ) -> Option<Self> {
        let scopes = TlsScopes::of(listener.tls.as_ref()?)?;
        let table = |scope: &spec::TlsScope| scope.route_table.as_deref().and_then(&find).unwrap_or(default);
        let tables = listener.scopes().iter().map(|scope| Arc::clone(table(scope))).collect();
        Some(Self { scopes, default: Arc::clone(default), tables })
    }

    /// The scopes themselves.
    pub const fn scopes(&self) -> &TlsScopes {
        &self.scopes
    }

    /// The routes of a scope.
    pub fn table(&self, scope: Scope) -> &Arc<RouteTable> {
        match scope {
            Scope::Default => &self.default,
            Scope::Listed(place) => self.tables.get(place).unwrap_or(&self.default),
        }
    }

    /// The routes for a host on a connection of the scope of this name; `None` where the request is misdirected. A host
    /// that belongs to nobody, or no host at all, is served where it came in.
    pub(crate) fn serving(&self, connection: Option<&str>, host: &str) -> Option<&Arc<RouteTable>> {
        let own = self.scopes.named(connection)?;
        let asked = if host.is_empty() { own } else { self.scopes.find(host).unwrap_or(own) };
        (asked == own).then(|| self.table(own))
    }

    /// Whether every scope has the same table as there.
    pub(crate) fn shares_tables(&self, other: &Self) -> bool {
        self.tables.len() == other.tables.len()
            && self.tables.iter().zip(&other.tables).all(|(one, other)| Arc::ptr_eq(one, other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scopes(certificates: &str, patterns: &[&str]) -> TlsScopes {
        let listed: Vec<String> = patterns
            .iter()
            .map(|pattern| {
                format!(r#"{{"name":"{pattern}","server_names":["{pattern}"],"certificates":[]}}"#)
            })
            .collect();
        let text = format!(r#"{{"certificates":[{certificates}],"scopes":[{}]}}"#, listed.join(","));
        TlsScopes::of(&serde_json::from_str(&text).expect("settings")).expect("scopes")
    }

    fn found<'s>(scopes: &'s TlsScopes, name: &str) -> Option<&'s str> {
        scopes.find(name).map(|scope| scopes.name(scope).map_or("default", |name| &**name))
    }

    #[test]
    fn exact_beats_the_longest_wildcard_and_the_default_takes_the_rest() {
        let scopes = scopes("\"own\"", &["*.test", "*.shop.test", "?.shop.test", "a.shop.test"]);
        for (name, scope) in [
            ("a.shop.test", "a.shop.test"),
            ("b.shop.test", "?.shop.test"),
            ("c.b.shop.test", "*.shop.test"),
            ("shop.test", "*.test"),
            ("test", "default"),
            ("", "default"),
        ] {
            assert_eq!(found(&scopes, name), Some(scope), "{name}");
        }
    }

    #[test]
    fn without_a_default_a_name_of_nobody_has_no_scope() {
        let some = scopes("", &["a.test"]);
        assert_eq!((found(&some, "b.test"), found(&some, "")), (None, None));
        assert_eq!((some.named(None), some.named(Some("b.test"))), (None, None));
        let all = scopes("", &["a.test", "*"]);
        assert_eq!((found(&all, "b.test"), found(&all, "")), (Some("*"), Some("*")));
    }
}
