//! Clients that go on while something changes.

use crate::{Http1, Request, patience::eventually};
use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio::task::JoinSet;

/// Clients that send the same request again and again, each over an HTTP/1.1 connection of its own that it keeps. A
/// connection that is closed on them fails the test. They end when this value is dropped.
#[derive(Debug)]
pub struct Load {
    shared: Arc<Shared>,
    clients: JoinSet<()>,
}

#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    answers: Mutex<Vec<(u16, String)>>,
}

impl Load {
    /// So many clients begin.
    pub fn start(address: SocketAddr, clients: usize, request: &Request) -> Self {
        let shared = Arc::<Shared>::default();
        let mut running = JoinSet::new();
        for _ in 0..clients {
            let (shared, request) = (shared.clone(), request.clone());
            running.spawn(async move {
                let mut connection = Http1::connect(address).await;
                while !shared.stop.load(Ordering::Relaxed) {
                    let reply = connection.send(&request).await;
                    shared.answers.lock().unwrap().push((reply.status, reply.text().to_owned()));
                }
            });
        }
        Self { shared, clients: running }
    }

    /// Status and text of the next answers, so many of them, to requests that begin after this call.
    pub async fn next(&self, count: usize) -> Vec<(u16, String)> {
        let answers = || self.shared.answers.lock().unwrap();
        // Every client may have one request under way.
        let first = answers().len() + self.clients.len();
        eventually(format!("{count} answers under load"), || answers().len() >= first + count).await;
        answers()[first..first + count].to_vec()
    }

    /// How many of the next answers, `count` of them, have this text.
    pub async fn share(&self, count: usize, text: &str) -> usize {
        self.next(count).await.iter().filter(|(_, said)| said == text).count()
    }

    /// Lets the clients end, and returns status and text of every answer.
    ///
    /// # Panics
    /// When a client did not get an answer.
    pub async fn stop(mut self) -> Vec<(u16, String)> {
        self.shared.stop.store(true, Ordering::Relaxed);
        while let Some(ended) = self.clients.join_next().await {
            ended.expect("every request under load is answered");
        }
        std::mem::take(&mut *self.shared.answers.lock().unwrap())
    }

    /// The same, where every answer should have this status.
    ///
    /// # Panics
    /// When one has another.
    pub async fn stop_with_all(self, status: u16) {
        let answers = self.stop().await;
        let others: Vec<_> = answers.iter().filter(|(found, _)| *found != status).collect();
        assert!(
            !answers.is_empty() && others.is_empty(),
            "of {} requests these failed: {others:?}",
            answers.len()
        );
    }
}
