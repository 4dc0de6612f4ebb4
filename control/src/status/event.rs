//! Events: one for each problem, however often it is seen, and not too many at a time. Decisions only; time is an argument.

use super::{
    answer::{event_type, message},
    book::earlier,
    limit::Limit,
};
use serde_json::{Value, json};
use sluice_crds::ObjectName;
use sluice_translate::{Held, Report};
use std::{
    collections::{BTreeMap, HashMap},
    time::{Duration, Instant},
};
use xxhash_rust::xxh3::Xxh3;

/// Who says it.
const CONTROLLER: &str = "sluice.dev/gateway";
/// API servers refuse longer notes.
const LONGEST_NOTE: usize = 1024;
/// And longer names of who says it.
const LONGEST_INSTANCE: usize = 128;
/// For the object's part of a name, so that the whole is no longer than a name may be.
const LONGEST_NAME: usize = 200;
/// An Event is said again when a problem has lasted this long; servers forget Events after an hour.
const AGAIN: Duration = Duration::from_mins(30);
/// Of one object: so many at once, then one after each interval.
const OF_OBJECT: (u32, Duration) = (10, Duration::from_secs(30));
/// Of all objects.
const OF_ALL: (u32, Duration) = (100, Duration::from_millis(100));

/// Where an Event is: namespace and name.
pub(super) type EventKey = (String, String);

/// What was said, and what may be said.
#[derive(Debug)]
pub(super) struct Told {
    events: HashMap<EventKey, Heard>,
    of_objects: HashMap<ObjectName, Limit>,
    of_all: Limit,
}

#[derive(Debug)]
struct Heard {
    at: Instant,
    /// How often.
    count: u32,
    /// Whether it is a problem still.
    lasts: bool,
}

/// Something to say.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Saying {
    pub(super) key: EventKey,
    /// The whole Event.
    pub(super) event: Value,
    /// How often it was seen, this time included.
    pub(super) count: u32,
}

// === impl Told ===

impl Told {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            events: HashMap::new(),
            of_objects: HashMap::new(),
            of_all: Limit::new(OF_ALL.0, OF_ALL.1, now),
        }
    }

    /// Takes what is wrong now. Returns what is to be said of it, and when to ask again for what has to wait.
    pub(super) fn hear<'r>(
        &mut self,
        problems: impl Iterator<Item = (&'r Held, &'r Report)>,
        who: &str,
        now: Instant,
        clock: &str,
    ) -> (Vec<Saying>, Option<Instant>) {
        let mut lasting = BTreeMap::new();
        for (held, report) in problems {
            lasting.entry(key(held, report)).or_insert((held, report));
        }
        self.events.retain(|key, heard| {
            let lasts = lasting.contains_key(key);
            heard.lasts &= lasts;
            // What is over is remembered for a while: it may come back.
            lasts || now.saturating_duration_since(heard.at) < AGAIN
        });
        self.of_objects.retain(|_, limit| !limit.is_full(now));
        let (mut sayings, mut next) = (Vec::new(), None);
        for (key, (held, report)) in lasting {
            let known = self.events.get(&key);
            if let Some(heard) = known.filter(|heard| heard.lasts) {
                let again = heard.at + AGAIN;
                if now < again {
                    next = earlier(next, Some(again));
                    continue;
                }
            }
            let of_object = self
                .of_objects
                .entry(report.object.clone())
                .or_insert_with(|| Limit::new(OF_OBJECT.0, OF_OBJECT.1, now));
            let allowed = of_object.next(now).max(self.of_all.next(now));
            if allowed > now {
                next = earlier(next, Some(allowed));
                continue;
            }
            of_object.take(now);
            self.of_all.take(now);
            let count = known.map_or(1, |heard| heard.count.saturating_add(1));
            let event = document(&key, held, report, who, clock);
            self.events.insert(key.clone(), Heard { at: now, count, lasts: true });
            sayings.push(Saying { key, event, count });
        }
        (sayings, next)
    }

    /// It could not be said: it is to be said again.
    pub(super) fn failed(&mut self, key: &EventKey) {
        if let Some(heard) = self.events.get_mut(key) {
            heard.lasts = false;
            heard.count -= 1;
            if heard.count == 0 {
                self.events.remove(key);
            }
        }
    }
}

/// The same for the same problem of the same object, whoever says it and whenever, so that a server takes it once.
fn key(held: &Held, report: &Report) -> EventKey {
    let uid = held.object().metadata().uid.as_deref().unwrap_or_default();
    let mut hash = Xxh3::new();
    for part in [report.object.kind, uid, report.reason.as_str(), &report.field, &report.message] {
        hash.update(part.as_bytes());
        hash.update(&[0]);
    }
    let namespace = match report.object.namespace.as_str() {
        "" => "default",
        namespace => namespace,
    };
    let mut name = report.object.name.clone();
    name.truncate(LONGEST_NAME);
    let name = name.trim_end_matches(['.', '-']);
    (namespace.to_owned(), format!("{name}.{:016x}", hash.digest()))
}

fn document(key: &EventKey, held: &Held, report: &Report, who: &str, clock: &str) -> Value {
    let metadata = held.object().metadata();
    json!({
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": { "namespace": key.0, "name": key.1 },
        "eventTime": clock,
        "reportingController": CONTROLLER,
        "reportingInstance": shorten(who.to_owned(), LONGEST_INSTANCE),
        "action": "Translate",
        "type": event_type(report),
        "reason": report.reason.as_str(),
        "note": shorten(message(report), LONGEST_NOTE),
        "regarding": {
            "apiVersion": held.object().api_version(),
            "kind": report.object.kind,
            "namespace": metadata.namespace,
            "name": report.object.name,
            "uid": metadata.uid,
            "resourceVersion": metadata.resource_version,
        },
    })
}

/// What changes of an Event that is said again.
pub(super) fn series(count: u32, clock: &str) -> Value {
    json!({ "series": { "count": count.max(2), "lastObservedTime": clock } })
}

fn shorten(mut text: String, longest: usize) -> String {
    if text.len() > longest {
        const MORE: &str = " ...";
        let mut end = longest - MORE.len();
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.push_str(MORE);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluice_crds::Manifest;
    use sluice_translate::{Level, Reason};

    fn held() -> Held {
        let text = "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: { name: web, namespace: shop, uid: u1 }\nspec: {}\n";
        Held::new(Manifest::read(text).objects().next().expect("an object").clone(), None, 0)
    }

    fn problem(held: &Held, message: &str) -> Report {
        Report::new(held, Level::Warning, Reason::Conflict, message).at("spec.rules[0]")
    }

    fn hear(
        told: &mut Told,
        held: &Held,
        reports: &[Report],
        now: Instant,
    ) -> (Vec<(String, u32)>, Option<Instant>) {
        let (sayings, next) = told.hear(reports.iter().map(|report| (held, report)), "pod", now, "t");
        (sayings.into_iter().map(|saying| (saying.key.1, saying.count)).collect(), next)
    }

    #[test]
    fn a_problem_is_said_once_and_again_only_after_a_while_or_when_it_comes_back() {
        let (start, held) = (Instant::now(), held());
        let mut told = Told::new(start);
        let reports = [problem(&held, "a"), problem(&held, "b")];
        let (first, next) = hear(&mut told, &held, &reports, start);
        assert_eq!(first.iter().map(|(_, count)| *count).collect::<Vec<_>>(), [1, 1]);
        assert_ne!(first[0].0, first[1].0);
        assert_eq!(next, None);
        assert_eq!(hear(&mut told, &held, &reports, start).0, []);
        // One goes and comes back: the same Event, counted.
        assert_eq!(hear(&mut told, &held, &reports[..1], start).0, []);
        let (back, _) = hear(&mut told, &held, &reports, start);
        assert_eq!(back.len(), 1);
        assert_eq!(back[0].1, 2);
        let (again, _) = hear(&mut told, &held, &reports, start + AGAIN);
        assert_eq!(again.len(), 2);
        // What could not be said is said the next time, as if it were new.
        let reports = [problem(&held, "c")];
        let (sayings, _) = told.hear(reports.iter().map(|report| (&held, report)), "pod", start + AGAIN, "t");
        told.failed(&sayings[0].key);
        let (retried, _) = hear(&mut told, &held, &reports, start + AGAIN);
        assert_eq!(retried.iter().map(|(_, count)| *count).collect::<Vec<_>>(), [1]);
    }

    #[test]
    fn one_object_cannot_say_everything_at_once() {
        let (start, held) = (Instant::now(), held());
        let mut told = Told::new(start);
        let reports: Vec<Report> = (0..50).map(|number| problem(&held, &number.to_string())).collect();
        let (first, next) = hear(&mut told, &held, &reports, start);
        assert_eq!((first.len(), next), (OF_OBJECT.0 as usize, Some(start + OF_OBJECT.1)));
        assert_eq!(hear(&mut told, &held, &reports, start + OF_OBJECT.1).0.len(), 1);
    }

    #[test]
    fn an_event_names_its_object_and_is_no_longer_than_servers_take_it() {
        let held = held();
        let report = problem(&held, &"ä".repeat(2000));
        let event = document(&key(&held, &report), &held, &report, &"pod".repeat(80), "t0");
        assert_eq!(event["regarding"]["apiVersion"], "networking.k8s.io/v1");
        assert_eq!((&event["regarding"]["uid"], &event["regarding"]["name"]), (&json!("u1"), &json!("web")));
        assert!(
            event["note"].as_str().is_some_and(|note| note.len() <= LONGEST_NOTE && note.ends_with(" ..."))
        );
        assert_eq!(event["reportingInstance"].as_str().map(str::len), Some(LONGEST_INSTANCE));
        assert_eq!((&event["type"], &event["reason"]), (&json!("Warning"), &json!("Conflict")));
    }
}
