//! What is to be written and what was: decisions only; time is an argument.
//!
//! A sweep looks at all objects, so nothing that happened in between, and no failure, can be forgotten, and there is no list
//! of changes that could grow. What stands in the cluster is what the watch showed last; for an object that was written
//! since, it is what was written.

use super::{
    answer::{Facts, Place, Status},
    event::{EventKey, Saying, Told},
    patch,
};
use sluice_crds::ObjectName;
use std::{
    collections::{BTreeSet, HashMap, HashSet, VecDeque},
    time::{Duration, Instant},
};

/// After a failure; doubles up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// What the writer remembers.
#[derive(Debug)]
pub(super) struct Book {
    /// Whether status is written, or only Events.
    statuses: bool,
    /// Who says Events.
    identity: String,
    /// Requests that are under way.
    busy: HashSet<Subject>,
    /// Objects that were written, and are not seen as written yet.
    written: HashMap<ObjectName, Written>,
    /// Ingresses that have addresses because of us.
    ours: BTreeSet<ObjectName>,
    told: Told,
    failed: HashMap<Subject, Pause>,
}

/// What a request is for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Subject {
    Object(ObjectName),
    Event(EventKey),
}

/// Something to write.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Job {
    Status(StatusJob),
    Event(Saying),
}

/// A status to write.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct StatusJob {
    pub(super) name: ObjectName,
    pub(super) group: &'static str,
    pub(super) plural: &'static str,
    /// API versions, all of which will do.
    pub(super) versions: Vec<&'static str>,
    /// The version of the object that was seen.
    pub(super) seen: String,
    pub(super) wanted: Status,
}

/// What was written last.
#[derive(Debug)]
struct Written {
    /// The versions that it was written over.
    over: [String; 2],
    wanted: Status,
}

/// Not before `until`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pause {
    pub(super) until: Instant,
    length: Duration,
}

// === impl Book ===

impl Book {
    pub(super) fn new(statuses: bool, identity: String, now: Instant) -> Self {
        Self {
            statuses,
            identity,
            busy: HashSet::new(),
            written: HashMap::new(),
            ours: BTreeSet::new(),
            told: Told::new(now),
            failed: HashMap::new(),
        }
    }

    /// Everything that is to be written now, an object once, and when to look again for what has to wait.
    pub(super) fn sweep(
        &mut self,
        facts: Facts<'_>,
        now: Instant,
        clock: &str,
    ) -> (VecDeque<Job>, Option<Instant>) {
        let (mut jobs, mut next, mut problems) = (VecDeque::new(), None, Vec::new());
        let mut there = HashSet::new();
        for answer in facts.answers() {
            there.insert(answer.name);
            problems.extend(answer.reports.iter().map(|report| (answer.held, *report)));
            let Some(job) = self.status_of(&answer) else { continue };
            match self.allowed(&Subject::Object(job.name.clone()), now) {
                Some(Ok(())) => jobs.push_back(Job::Status(job)),
                Some(Err(until)) => next = earlier(next, Some(until)),
                None => {}
            }
        }
        self.written.retain(|name, _| there.contains(name));
        self.ours.retain(|name| there.contains(name));
        let (sayings, later) = self.told.hear(problems.into_iter(), &self.identity, now, clock);
        next = earlier(next, later);
        jobs.extend(sayings.into_iter().map(Job::Event));
        self.failed.retain(|subject, pause| match subject {
            Subject::Object(name) => there.contains(name),
            Subject::Event(_) => pause.until > now,
        });
        (jobs, next)
    }

    /// The status to write, if it does not stand there.
    fn status_of(&mut self, answer: &super::answer::Answer<'_>) -> Option<StatusJob> {
        let place = Place::of(answer.held.object()).filter(|_| self.statuses)?;
        let seen = answer.held.object().metadata().resource_version.as_ref()?;
        let stands = match self.written.get(answer.name) {
            Some(written) if written.over.contains(seen) => written.wanted == answer.status,
            _ => {
                self.written.remove(answer.name);
                patch::stands(place.standing, &answer.status)
            }
        };
        if let Status::Addresses(addresses) = &answer.status {
            if addresses.is_empty() && !self.ours.contains(answer.name) {
                // Somebody else's.
                return None;
            }
            if stands && !addresses.is_empty() {
                self.ours.insert(answer.name.clone());
            }
        }
        (!stands).then(|| StatusJob {
            name: answer.name.clone(),
            group: place.group,
            plural: place.plural,
            versions: std::iter::once(place.version).chain(place.other_versions.iter().copied()).collect(),
            seen: seen.clone(),
            wanted: answer.status.clone(),
        })
    }

    /// Whether a request may go: `None` while one is under way, else when.
    fn allowed(&self, subject: &Subject, now: Instant) -> Option<Result<(), Instant>> {
        if self.busy.contains(subject) {
            return None;
        }
        let pause = self.failed.get(subject).filter(|pause| pause.until > now);
        Some(pause.map_or(Ok(()), |pause| Err(pause.until)))
    }

    /// A request begins.
    pub(super) fn begin(&mut self, job: &Job) {
        self.busy.insert(job.subject());
    }

    /// It succeeded; `over` is the version of the object that was written over, where another one than was seen.
    pub(super) fn done(&mut self, job: Job, over: Option<String>) {
        let subject = job.subject();
        self.busy.remove(&subject);
        self.failed.remove(&subject);
        let Job::Status(job) = job else { return };
        if let Status::Addresses(addresses) = &job.wanted {
            if addresses.is_empty() {
                self.ours.remove(&job.name);
            } else {
                self.ours.insert(job.name.clone());
            }
        }
        let over = [over.unwrap_or_else(|| job.seen.clone()), job.seen];
        self.written.insert(job.name, Written { over, wanted: job.wanted });
    }

    /// It failed, and is not to be tried again before a while; at least `asked`. Returns when.
    pub(super) fn failed(&mut self, job: Job, asked: Duration, now: Instant) -> Instant {
        let subject = job.subject();
        self.busy.remove(&subject);
        if let Job::Event(saying) = &job {
            self.told.failed(&saying.key);
        }
        let pause = Pause::after(self.failed.get(&subject).copied(), asked, now);
        self.failed.insert(subject, pause);
        pause.until
    }

    /// What is under way is not heard of any more, and others write meanwhile.
    pub(super) fn forget(&mut self) {
        self.busy.clear();
        self.written.clear();
    }

    /// Ingresses that have addresses because of us.
    pub(super) fn ours(&self) -> impl Iterator<Item = &ObjectName> {
        self.ours.iter()
    }
}

// === impl Pause ===

impl Pause {
    /// After one more failure.
    pub(super) fn after(last: Option<Self>, asked: Duration, now: Instant) -> Self {
        let length = last.map_or(FIRST_PAUSE, |last| (last.length * 2).min(LONGEST_PAUSE));
        Self { until: now + length.max(asked.min(LONGEST_PAUSE)), length }
    }
}

// === impl Job ===

impl Job {
    fn subject(&self) -> Subject {
        match self {
            Self::Status(job) => Subject::Object(job.name.clone()),
            Self::Event(saying) => Subject::Event(saying.key.clone()),
        }
    }
}

/// The first one of two times, either of which may never come.
pub(super) fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    one.into_iter().chain(other).min()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::address::Address;
    use serde_json::json;
    use sluice_crds::Manifest;
    use sluice_translate::{Held, Level, Reason, Report};
    use std::collections::BTreeMap;

    struct World {
        objects: BTreeMap<ObjectName, Held>,
        reports: Vec<Report>,
        ingresses: BTreeSet<ObjectName>,
        addresses: Vec<Address>,
    }

    impl World {
        fn new() -> Self {
            let mut world = Self {
                objects: BTreeMap::new(),
                reports: Vec::new(),
                ingresses: BTreeSet::new(),
                addresses: vec![Address::new("192.0.2.1")],
            };
            world.ingress("1", "");
            world.ingresses = world.objects.keys().cloned().collect();
            world
        }

        fn ingress(&mut self, version: &str, ip: &str) {
            let addresses = if ip.is_empty() { json!([]) } else { json!([{ "ip": ip }]) };
            let text = json!({
                "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
                "metadata": { "name": "web", "namespace": "shop", "resourceVersion": version },
                "spec": {}, "status": { "loadBalancer": { "ingress": addresses } },
            });
            let object = Manifest::read(&text.to_string()).objects().next().expect("an object").clone();
            self.objects.insert(object.name(), Held::new(object, None, 0));
        }

        fn sweep(&self, book: &mut Book, now: Instant) -> Vec<Job> {
            let facts = Facts {
                objects: &self.objects,
                reports: [&self.reports, &[], &[]],
                ingresses: &self.ingresses,
                addresses: &self.addresses,
            };
            book.sweep(facts, now, "t").0.into()
        }
    }

    #[test]
    fn a_status_is_written_once_although_the_watch_is_late() {
        let (now, mut world) = (Instant::now(), World::new());
        let mut book = Book::new(true, "pod".to_owned(), now);
        let jobs = world.sweep(&mut book, now);
        assert_eq!(jobs.len(), 1);
        book.begin(&jobs[0]);
        assert_eq!(world.sweep(&mut book, now), [], "it is under way");
        book.done(jobs[0].clone(), None);
        assert_eq!(world.sweep(&mut book, now), [], "the watch has not shown it yet");
        world.ingress("2", "192.0.2.1");
        assert_eq!(world.sweep(&mut book, now), [], "now it has");
        // Somebody else takes it away.
        world.ingress("3", "");
        assert_eq!(world.sweep(&mut book, now).len(), 1);
    }

    #[test]
    fn what_failed_waits_longer_and_longer() {
        let (mut now, world) = (Instant::now(), World::new());
        let mut book = Book::new(true, "pod".to_owned(), now);
        for length in [1, 2, 4] {
            let jobs = world.sweep(&mut book, now);
            book.begin(&jobs[0]);
            let until = book.failed(jobs[0].clone(), Duration::ZERO, now);
            assert_eq!(until, now + FIRST_PAUSE * length);
            assert_eq!(world.sweep(&mut book, now), []);
            now = until;
        }
        let jobs = world.sweep(&mut book, now);
        assert_eq!(book.failed(jobs[0].clone(), Duration::from_secs(7), now), now + Duration::from_secs(7));
    }

    #[test]
    fn an_ingress_that_is_not_ours_keeps_what_it_has_and_one_that_was_ours_loses_it() {
        let (now, mut world) = (Instant::now(), World::new());
        let mut book = Book::new(true, "pod".to_owned(), now);
        let ours = std::mem::take(&mut world.ingresses);
        world.ingress("1", "192.0.2.1");
        assert_eq!(world.sweep(&mut book, now), []);
        world.ingresses = ours;
        assert_eq!(world.sweep(&mut book, now), []);
        assert_eq!(book.ours().count(), 1);
        world.ingresses.clear();
        let jobs = world.sweep(&mut book, now);
        let Job::Status(job) = &jobs[0] else { panic!("a status: {jobs:?}") };
        assert_eq!(job.wanted, Status::Addresses(Vec::new()));
        book.done(jobs[0].clone(), None);
        assert_eq!((world.sweep(&mut book, now).len(), book.ours().count()), (0, 0));
    }

    #[test]
    fn with_status_off_only_events_are_said() {
        let (now, mut world) = (Instant::now(), World::new());
        let mut book = Book::new(false, "pod".to_owned(), now);
        let held = world.objects.values().next().expect("an Ingress");
        world.reports = vec![Report::new(held, Level::Warning, Reason::Conflict, "no")];
        let jobs = world.sweep(&mut book, now);
        assert!(matches!(&jobs[..], [Job::Event(_)]), "{jobs:?}");
    }
}
