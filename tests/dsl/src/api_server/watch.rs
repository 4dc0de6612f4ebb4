//! Watches: what happened, line by line.

use super::{
    Shared,
    answer::{resource, selection, show},
    body::Piece,
    call::Call,
    fault::Disturbance,
    refusal::Refusal,
    resource::Resource,
    select::Selection,
    store::Happening,
};
use bytes::Bytes;
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};
use tokio::{sync::mpsc::UnboundedSender, time::sleep};

/// How long a watch lasts that does not say.
const LONGEST: u64 = 1800;

/// A watch that was asked for.
#[derive(Debug)]
pub(super) struct Watch {
    call: Call,
    resource: &'static Resource,
    selection: Selection,
    /// What stands before everything else.
    first: Vec<Value>,
    /// How far the log has been told.
    place: usize,
    /// Where the log ended when it was opened: what disturbed others before is nothing to it.
    opened: usize,
    /// It ends after the first lines.
    over: bool,
}

impl Watch {
    pub(super) fn new(shared: &Shared, call: &Call) -> Result<Self, Refusal> {
        let world = shared.world();
        let (resource, _) = resource(&world.groups, call)?;
        let streams = call.parameter("sendInitialEvents") == "true";
        if streams && !world.streams_lists {
            let message = "sendInitialEvents: Forbidden: sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled";
            return Err(Refusal::new(422, "Invalid", message));
        }
        if streams && call.parameter("resourceVersionMatch") != "NotOlderThan" {
            let message = "resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan";
            return Err(Refusal::new(422, "Invalid", message));
        }
        let selection = selection(resource, call)?;
        let store = &world.store;
        let seen: u64 = call.parameter("resourceVersion").parse().unwrap_or(0);
        if seen > store.version() {
            let message = format!("Too large resource version: {seen}, current: {}", store.version());
            return Err(Refusal::new(504, "Timeout", message));
        }
        let mut watch = Self {
            call: call.clone(),
            resource,
            selection,
            first: Vec::new(),
            place: store.end(),
            opened: store.end(),
            over: false,
        };
        if streams || seen == 0 {
            let added = store.select(&watch.selection).map(|object| watch.event("ADDED", object));
            watch.first = added.collect();
            if streams {
                watch.first.push(watch.bookmark(store.version(), true));
            }
        } else if let Some(place) = store.place_after(seen) {
            watch.place = place;
        } else {
            watch.first.push(gone());
            watch.over = true;
        }
        Ok(watch)
    }

    /// Tells what happens, until the watch is over or nobody listens any more.
    pub(super) async fn run(mut self, shared: Arc<Shared>, to: UnboundedSender<Piece>) {
        let mut news = shared.world().store.news.subscribe();
        for line in std::mem::take(&mut self.first) {
            tell(&to, &line);
        }
        if self.over {
            return;
        }
        let longest = self.call.parameter("timeoutSeconds").parse().unwrap_or(LONGEST);
        let end = sleep(Duration::from_secs(longest));
        tokio::pin!(end);
        loop {
            news.mark_unchanged();
            let happened = shared.world().store.since(self.place).to_vec();
            for happening in happened {
                match self.hear(&happening, &to) {
                    Next::Go => {}
                    Next::End => return,
                    // Nothing is said any more, but the connection stays.
                    Next::Stall => return to.closed().await,
                }
                self.place += 1;
            }
            tokio::select! {
                _ = news.changed() => {}
                () = &mut end => return,
                () = to.closed() => return,
            }
        }
    }

    /// Tells the first half of what it has to tell at once, the last line cut off in the middle.
    pub(super) fn half(self, to: &UnboundedSender<Piece>, last: Piece) {
        let lines: Vec<String> = self.first.iter().map(ToString::to_string).collect();
        let text = lines.join("\n");
        let half = text.len() / 2;
        let _ = to.send(Piece::Data(Bytes::from(text).slice(..half)));
        let _ = to.send(last);
    }

    fn hear(&self, happening: &Happening, to: &UnboundedSender<Piece>) -> Next {
        match happening {
            Happening::Changed { resource, version, old, new } => {
                if **resource == *self.resource {
                    self.changed(*version, old.as_ref(), new.as_ref(), to);
                }
            }
            Happening::Bookmark(version) => {
                if self.call.parameter("allowWatchBookmarks") == "true" {
                    tell(to, &self.bookmark(*version, false));
                }
            }
            Happening::Disturbed { plural, how }
                if self.place >= self.opened && (plural == "*" || plural == self.resource.plural) =>
            {
                let last = match how {
                    Disturbance::End => None,
                    Disturbance::Cut => Some(Piece::Cut),
                    Disturbance::BadChunk => Some(Piece::BadChunk),
                    Disturbance::Stall => return Next::Stall,
                    Disturbance::Gone => {
                        tell(to, &gone());
                        None
                    }
                    Disturbance::Line(line) => {
                        let _ = to.send(Piece::Data(Bytes::from(format!("{line}\n"))));
                        return Next::Go;
                    }
                };
                if let Some(last) = last {
                    let _ = to.send(last);
                }
                return Next::End;
            }
            Happening::Disturbed { .. } => {}
        }
        Next::Go
    }

    fn changed(&self, version: u64, old: Option<&Value>, new: Option<&Value>, to: &UnboundedSender<Piece>) {
        let old = old.filter(|object| self.selection.has(object));
        let new = new.filter(|object| self.selection.has(object));
        let event = match (old, new) {
            (None, None) => return,
            (None, Some(new)) => self.event("ADDED", new),
            (Some(_), Some(new)) => self.event("MODIFIED", new),
            (Some(old), None) => {
                let mut event = self.event("DELETED", old);
                event["object"]["metadata"]["resourceVersion"] = json!(version.to_string());
                event
            }
        };
        tell(to, &event);
    }

    fn event(&self, kind: &str, object: &Value) -> Value {
        json!({ "type": kind, "object": show(self.resource, &self.call, object) })
    }

    fn bookmark(&self, version: u64, ends_the_list: bool) -> Value {
        let mut metadata = json!({ "resourceVersion": version.to_string(), "creationTimestamp": null });
        if ends_the_list {
            metadata["annotations"] = json!({ "k8s.io/initial-events-end": "true" });
        }
        let object = json!({ "kind": self.resource.kind, "metadata": metadata });
        self.event("BOOKMARK", &object)
    }
}

/// How a watch goes on.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    Go,
    End,
    Stall,
}

fn gone() -> Value {
    json!({ "type": "ERROR", "object": Refusal::expired().status() })
}

fn tell(to: &UnboundedSender<Piece>, line: &Value) {
    let _ = to.send(Piece::Data(Bytes::from(format!("{line}\n"))));
}
