//! An upstream that fails on command.

use sluice_dsl::{Script, Wire};
use std::{
    fmt,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// It is answered with 200.
    Answer,
    /// It is read, and the connection is reset.
    Reset,
    /// It is read, and never answered.
    Silence,
    /// It is answered with 503.
    Unavailable,
    /// So many are answered, as many reset, and so on.
    Flap(usize),
}

/// An upstream over HTTP/1.1 that counts what it is sent.
pub(crate) struct Faulty {
    script: Script,
    shared: Arc<Shared>,
}

struct Shared {
    way: Mutex<Way>,
    requests: AtomicUsize,
}

impl Faulty {
    /// One that treats requests in this way.
    pub(crate) async fn start(way: Way) -> Self {
        let shared = Arc::new(Shared { way: Mutex::new(way), requests: AtomicUsize::new(0) });
        let known = shared.clone();
        let script = Script::start(move |wire, _| serve(wire, known.clone())).await;
        Self { script, shared }
    }

    /// From now on in this way.
    pub(crate) fn turn(&self, way: Way) {
        *self.shared.way.lock().expect("nobody panics with it") = way;
    }

    /// Requests that it was sent so far.
    pub(crate) fn requests(&self) -> usize {
        self.shared.requests.load(Ordering::SeqCst)
    }
}

async fn serve(mut wire: Wire, shared: Arc<Shared>) {
    while wire.request().await.is_some() {
        let number = shared.requests.fetch_add(1, Ordering::SeqCst);
        let way = *shared.way.lock().expect("nobody panics with it");
        let answers = match way {
            Way::Flap(length) => (number / length).is_multiple_of(2),
            other => other == Way::Answer,
        };
        if answers {
            wire.send("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ngood").await;
        } else if way == Way::Unavailable {
            wire.send("HTTP/1.1 503 Service Unavailable\r\ncontent-length: 3\r\n\r\nbad").await;
        } else if way == Way::Silence {
            return wire.stall().await;
        } else {
            return wire.reset();
        }
    }
}

impl fmt::Display for Faulty {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.script.fmt(out)
    }
}
