//! Keeps a Lease, or tries to get it, while the process runs.

use super::{
    clock,
    forbidden::Forbidden,
    lease::{Candidate, Step},
};
use crate::api_server::{self, Api, Trouble, Verb};
use serde_json::{Value, json};
use sluice_translate::NamespacedName;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    sync::{oneshot, watch},
    time,
};

/// For the last word at the end.
const FAREWELL: Duration = Duration::from_secs(3);

/// A Lease that is to be held.
#[derive(Debug)]
pub(super) struct Election {
    pub(super) api: Api,
    pub(super) lease: NamespacedName,
    pub(super) candidate: Candidate,
    /// Until when this process leads.
    pub(super) leads: watch::Sender<Option<Instant>>,
    pub(super) forbidden: Arc<Forbidden>,
}

impl Election {
    /// Goes on until it is told to end; then it gives the Lease away.
    pub(super) async fn run(mut self, mut end: oneshot::Receiver<()>) {
        loop {
            if let Err(trouble) = self.look().await
                && !self.forbidden.say(&trouble, "coordination.k8s.io", "leases", "get, create, update")
                && trouble.code() != Some(409)
            {
                tracing::warn!("the Lease {} cannot be kept: {trouble}", self.name());
            }
            self.leads.send_replace(self.candidate.leads_until());
            tokio::select! {
                () = time::sleep(self.candidate.pause()) => {}
                _ = &mut end => break,
            }
        }
        let released = time::timeout(FAREWELL, self.release()).await;
        if !matches!(released, Ok(Ok(()))) {
            tracing::warn!("the Lease {} could not be given away; it ends by itself", self.name());
        }
    }

    async fn look(&mut self) -> Result<(), Trouble> {
        let lease = match self.api.ask(Verb::Get, &self.path(), &Value::Null).await {
            Ok(lease) => Some(lease),
            Err(trouble) if trouble.code() == Some(404) => None,
            Err(trouble) => return Err(trouble),
        };
        let at = Instant::now();
        match self.candidate.step(lease.as_ref(), at, &clock::micros()) {
            Step::Wait => return Ok(()),
            Step::Create(mut lease) => {
                lease["apiVersion"] = json!("coordination.k8s.io/v1");
                lease["kind"] = json!("Lease");
                lease["metadata"] = json!({ "namespace": self.lease.namespace, "name": self.lease.name });
                self.api.ask(Verb::Create, &self.folder(), &lease).await?;
            }
            Step::Replace(lease) => drop(self.api.ask(Verb::Update, &self.path(), &lease).await?),
        }
        if self.candidate.leads_until().is_none() {
            tracing::info!("this process writes the status of objects: it holds the Lease {}", self.name());
        }
        self.candidate.wrote(at);
        Ok(())
    }

    async fn release(&mut self) -> Result<(), Trouble> {
        if self.candidate.leads_until().is_none() {
            return Ok(());
        }
        let lease = self.api.ask(Verb::Get, &self.path(), &Value::Null).await?;
        match self.candidate.release(&lease) {
            Some(lease) => self.api.ask(Verb::Update, &self.path(), &lease).await.map(drop),
            None => Ok(()),
        }
    }

    fn folder(&self) -> String {
        api_server::path("coordination.k8s.io", "v1", Some(&self.lease.namespace), "leases")
    }

    fn path(&self) -> String {
        format!("{}/{}", self.folder(), self.lease.name)
    }

    fn name(&self) -> String {
        format!("{}/{}", self.lease.namespace, self.lease.name)
    }
}
