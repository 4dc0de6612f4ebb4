//! Which hosts there are and which Ingresses each has, followed from one change to the next: a change of an Ingress is a look
//! at its own hosts, however many others there are.

use super::{
    names::{self, OtherNames},
    reading::Reading,
    select::{self, Host, Member, Personality, Piece, Site},
};
use crate::{
    plan::{Members, Plan, Replanned, UnitKey},
    reads::View,
    report::{Level, Reason, Report},
    settings::Settings,
    store::Of,
};
use sluice_crds::{ObjectName, core::Ingress};
use std::{
    cmp::{Ordering, Reverse},
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

/// Which hosts there are, and the Ingresses of each.
#[derive(Debug, Default)]
pub(crate) struct Directory {
    /// Those that are ours.
    readings: HashMap<ObjectName, Reading>,
    /// Who has a part in a host, the oldest first.
    claims: HashMap<Host, Vec<Claim>>,
    /// The hosts that are served, with those that have a part in them.
    served: BTreeMap<Host, Arc<[Member]>>,
    /// Served hosts that ask for other names.
    asking: BTreeSet<Host>,
    /// What they got, and what is said about that.
    other_names: BTreeMap<Host, OtherNames>,
    about_names: Vec<Report>,
    /// About canaries of hosts that nobody else has.
    about_canaries: BTreeMap<Host, Vec<Report>>,
    ingresses: Arc<BTreeSet<ObjectName>>,
}

/// An Ingress that has a part in a host.
#[derive(Debug)]
struct Claim {
    /// See [`seniority`].
    age: (i128, u64),
    member: Member,
}

/// What hosts that were looked at again came to.
#[derive(Debug, Default)]
struct Settled {
    /// Some are new, or gone.
    come_or_go: bool,
    /// Some ask for other names, or did.
    ask: bool,
    /// Something else is said.
    speak: bool,
}

/// The plan for what is there.
pub(super) fn plan(view: &View<'_>, settings: &Settings) -> Plan {
    let mut plan = Plan::default();
    Directory::default().follow(view, settings, None, &mut plan);
    plan
}

impl Directory {
    /// The Ingresses that are served.
    pub(crate) fn ingresses(&self) -> &Arc<BTreeSet<ObjectName>> {
        &self.ingresses
    }

    /// What is to be said about Ingresses before any host is made.
    pub(crate) fn reports(&self) -> impl Iterator<Item = &Report> {
        let own = self.readings.values().flat_map(|reading| &*reading.reports);
        own.chain(&self.about_names).chain(self.about_canaries.values().flatten())
    }

    /// Brings `plan` up to date where these Ingresses changed and nothing else that a plan rests on; without them, where
    /// anything may have.
    pub(crate) fn follow(
        &mut self,
        view: &View<'_>,
        settings: &Settings,
        changed: Option<BTreeSet<ObjectName>>,
        plan: &mut Plan,
    ) -> Replanned {
        let mut replanned = Replanned::default();
        let mut touched = BTreeSet::new();
        let mut named = BTreeSet::new();
        match changed {
            Some(changed) => {
                for name in changed {
                    let known = self.readings.remove(&name);
                    let ingress = view.among_all::<Ingress>(&name.namespace, &name.name);
                    replanned.reports |=
                        self.read(view, settings, name.clone(), ingress, known, &mut touched);
                    named.insert(name);
                }
            }
            None => {
                let mut before = std::mem::take(self);
                named.extend(before.ingresses.iter().cloned());
                for ingress in view.all::<Ingress>() {
                    let name = ingress.name();
                    let known = before.readings.remove(&name);
                    named.insert(name.clone());
                    self.read(view, settings, name, Some(ingress), known, &mut touched);
                }
                touched.extend(plan.units.keys().filter_map(host).cloned());
                replanned.reports = true;
            }
        }
        let mut settled = Settled::default();
        for host in &touched {
            named.extend(self.members(host).iter().map(|member| member.name.clone()));
            self.settle(view, host, &mut settled);
            named.extend(self.members(host).iter().map(|member| member.name.clone()));
        }
        settled.come_or_go |= self.settle_catch_all(settings, &mut touched);
        replanned.reports |= settled.speak;
        if settled.ask || (settled.come_or_go && !self.asking.is_empty()) {
            replanned.reports |= self.grant(view, settings, &mut touched);
        }
        if touched.iter().any(Host::is_wildcard) {
            let is_below = |host: &&Host| host.parent().is_some_and(|parent| touched.contains(&parent));
            let below: Vec<Host> = self.served.keys().filter(is_below).cloned().collect();
            touched.extend(below);
        }
        for host in touched {
            let site = self.served.get(&host).map(|members| self.site(&host, members));
            put(plan, UnitKey::Ingress(Piece::Host(host)), site, &mut replanned);
        }
        let default = (!self.served.is_empty()).then(Site::default);
        put(plan, UnitKey::Ingress(Piece::DefaultCertificate), default, &mut replanned);
        self.count_in(named);
        replanned
    }

    /// Reads an Ingress, or forgets it; whether something else is said about it. Hosts that it has or had are touched.
    fn read(
        &mut self,
        view: &View<'_>,
        settings: &Settings,
        name: ObjectName,
        ingress: Option<Of<'_, Ingress>>,
        known: Option<Reading>,
        touched: &mut BTreeSet<Host>,
    ) -> bool {
        for host in known.iter().flat_map(|known| &known.hosts) {
            if let Some(claims) = self.claims.get_mut(host) {
                claims.retain(|claim| claim.member.name != name);
                if claims.is_empty() {
                    self.claims.remove(host);
                }
            }
            touched.insert(host.clone());
        }
        let ours = ingress
            .and_then(|ingress| Some((ingress, select::personality(view, &settings.classes, ingress)?)));
        let Some((ingress, personality)) = ours else {
            return known.is_some_and(|known| !known.reports.is_empty());
        };
        let said = known.as_ref().map(|known| known.reports.clone()).unwrap_or_default();
        let reading = known
            .filter(|known| known.is_of(ingress, personality))
            .unwrap_or_else(|| Reading::of(ingress, personality, settings));
        for host in &reading.hosts {
            let claim = Claim::of(ingress, name.clone(), personality, &reading);
            // Nearly all have one.
            let claims = self.claims.entry(host.clone()).or_insert_with(|| Vec::with_capacity(1));
            claims.insert(claims.partition_point(|other| other.seniority() < claim.seniority()), claim);
            touched.insert(host.clone());
        }
        let speaks = said != reading.reports;
        self.readings.insert(name, reading);
        speaks
    }

    fn members(&self, host: &Host) -> &[Member] {
        self.served.get(host).map_or(&[], |members| &**members)
    }

    /// Finds out anew whether a host is served, and by whom.
    fn settle(&mut self, view: &View<'_>, host: &Host, settled: &mut Settled) {
        let claims = self.claims.get(host).map(Vec::as_slice).unwrap_or_default();
        let members: Arc<[Member]> = claims.iter().map(|claim| claim.member.clone()).collect();
        let is_served = members.iter().any(|member| !member.is_canary());
        // A canary makes no host.
        let lonely = members.iter().filter(|_| !is_served);
        let about: Vec<Report> = lonely.filter_map(|member| lonely_canary(view, host, member)).collect();
        let before = self.about_canaries.remove(host).unwrap_or_default();
        settled.speak |= before != about;
        if !about.is_empty() {
            self.about_canaries.insert(host.clone(), about);
        }
        settled.ask |= self.asking.remove(host);
        if is_served && names::are_asked_for(&members) {
            settled.ask = true;
            self.asking.insert(host.clone());
        }
        let before =
            if is_served { self.served.insert(host.clone(), members) } else { self.served.remove(host) };
        settled.come_or_go |= before.is_some() != is_served;
    }

    /// Where the gateway has a default backend, that is what hosts get that nobody has, as soon as there is any host.
    /// Whether that comes or goes.
    fn settle_catch_all(&mut self, settings: &Settings, touched: &mut BTreeSet<Host>) -> bool {
        let everything = Host::of("");
        let is_own = !self.members(&everything).is_empty();
        let others = self.served.keys().any(|host| !host.is_catch_all());
        let wanted = settings.default_backend.is_some() && others;
        if is_own || wanted == self.served.contains_key(&everything) {
            return false;
        }
        if wanted {
            self.served.insert(everything.clone(), Arc::default());
        } else {
            self.served.remove(&everything);
        }
        touched.insert(everything);
        true
    }

    /// Gives hosts their other names anew; whether something else is said about that. Hosts that get others are touched.
    fn grant(&mut self, view: &View<'_>, settings: &Settings, touched: &mut BTreeSet<Host>) -> bool {
        let asking = self.asking.iter().map(|host| (host, self.members(host)));
        let (granted, reports) = names::grant(view, settings, asking, self.served.keys());
        let before = std::mem::replace(&mut self.other_names, granted);
        let known = before.keys().chain(self.other_names.keys());
        touched.extend(known.filter(|host| before.get(*host) != self.other_names.get(*host)).cloned());
        let speaks = reports != self.about_names;
        self.about_names = reports;
        speaks
    }

    fn site(&self, host: &Host, members: &Arc<[Member]>) -> Site {
        let parent = host.parent().and_then(|parent| self.served.get(&parent));
        let OtherNames { aliases, counterpart } = self.other_names.get(host).cloned().unwrap_or_default();
        Site {
            members: Arc::clone(members),
            parents: parent.map(Arc::clone).unwrap_or_default(),
            aliases,
            counterpart,
        }
    }

    /// Finds out which of these are served.
    fn count_in(&mut self, names: BTreeSet<ObjectName>) {
        let other: Vec<(ObjectName, bool)> = names
            .into_iter()
            .map(|name| {
                let has = |host: &Host| self.members(host).iter().any(|member| member.name == name);
                let is_in = self.readings.get(&name).is_some_and(|reading| reading.hosts.iter().any(has));
                (name, is_in)
            })
            .filter(|(name, is_in)| self.ingresses.contains(name) != *is_in)
            .collect();
        if other.is_empty() {
            return;
        }
        let ingresses = Arc::make_mut(&mut self.ingresses);
        for (name, is_in) in other {
            if is_in {
                ingresses.insert(name);
            } else {
                ingresses.remove(&name);
            }
        }
    }
}

impl Claim {
    fn of(ingress: Of<'_, Ingress>, name: ObjectName, personality: Personality, reading: &Reading) -> Self {
        let age = ingress.age();
        let order = if age.created == i128::MAX { age.order } else { 0 };
        let annotations = Arc::clone(&reading.annotations);
        Self { age: (age.created, order), member: Member { name, personality, annotations } }
    }

    /// ingress-nginx: among those of the same second the one whose `namespace/name` comes last in the alphabet is the oldest.
    fn seniority(&self) -> ((i128, u64), Reverse<Slashed<'_>>) {
        (self.age, Reverse(Slashed(&self.member.name)))
    }
}

/// An object in the order of its `namespace/name`: `shop-dev/web` before `shop/web`.
#[derive(PartialEq, Eq)]
struct Slashed<'n>(&'n ObjectName);

impl Slashed<'_> {
    fn bytes(&self) -> impl Iterator<Item = u8> {
        let ObjectName { namespace, name, .. } = self.0;
        namespace.bytes().chain([b'/']).chain(name.bytes())
    }
}

impl Ord for Slashed<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.bytes().cmp(other.bytes())
    }
}

impl PartialOrd for Slashed<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The host that a unit is.
fn host(key: &UnitKey) -> Option<&Host> {
    match key {
        UnitKey::Ingress(Piece::Host(host)) => Some(host),
        _ => None,
    }
}

/// What a unit is made of from now on.
fn put(plan: &mut Plan, key: UnitKey, site: Option<Site>, replanned: &mut Replanned) {
    let Some(site) = site else {
        if plan.units.remove(&key).is_some() {
            replanned.gone.push(key);
        }
        return;
    };
    let members = Members::Ingress(site);
    if plan.units.get(&key) != Some(&members) {
        plan.units.insert(key.clone(), members);
        replanned.changed.push(key);
    }
}

/// A canary of a host that nobody else has.
fn lonely_canary(view: &View<'_>, host: &Host, member: &Member) -> Option<Report> {
    let ingress = view.among_all::<Ingress>(&member.name.namespace, &member.name.name)?;
    let message = format!(
        "it is a canary, and no other Ingress has host `{host}`, so nothing reaches it; \
         canaries stand beside an Ingress with the same host and path"
    );
    Some(Report::new(ingress.held(), Level::Warning, Reason::Unreachable, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_in_the_order_of_their_text_with_the_slash() {
        let name = |namespace: &str, name: &str| ObjectName {
            kind: "Ingress",
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        };
        let (shop, dev) = (name("shop", "web"), name("shop-dev", "web"));
        assert!(Slashed(&dev) < Slashed(&shop), "`-` comes before `/`");
        assert!(Slashed(&shop) < Slashed(&name("shop", "webs")));
    }
}
