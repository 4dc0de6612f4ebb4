//! Which of the objects that a watch brings count.

use sluice_crds::ObjectName;
use std::{collections::BTreeSet, sync::Arc};
use tokio::sync::watch;

/// Which of the objects that a watch brings count.
#[derive(Debug, Clone)]
pub(in crate::source::cluster) enum Accept {
    Everything,
    /// Those of these namespaces; of all where there is no choice. Another choice makes a list.
    Namespaces(watch::Receiver<Choice>),
    /// Those that something refers to. A new one is asked for on its own, as it was dropped when it was listed.
    References(watch::Receiver<Arc<BTreeSet<ObjectName>>>),
}

/// Names of namespaces; absent, all of them.
pub(in crate::source::cluster) type Choice = Option<Arc<BTreeSet<String>>>;

/// How what counts has changed.
pub(super) enum Changed {
    Choice,
    References(Arc<BTreeSet<ObjectName>>),
}

// === impl Accept ===

impl Accept {
    pub(super) fn takes(&self, name: &ObjectName) -> bool {
        match self {
            Self::Everything => true,
            Self::Namespaces(chosen) => {
                let chosen = chosen.borrow();
                chosen
                    .as_ref()
                    .is_none_or(|chosen| name.namespace.is_empty() || chosen.contains(&name.namespace))
            }
            Self::References(names) => names.borrow().contains(name),
        }
    }

    /// The latest change has to be seen again.
    pub(super) fn changed_unseen(&mut self) {
        match self {
            Self::Everything => {}
            Self::Namespaces(chosen) => chosen.mark_changed(),
            Self::References(names) => names.mark_changed(),
        }
    }

    /// Nothing is lost when this future is dropped.
    pub(super) async fn changed(&mut self) -> Changed {
        let over = match self {
            Self::Everything => true,
            Self::Namespaces(chosen) => chosen.changed().await.is_err(),
            Self::References(names) => names.changed().await.is_err(),
        };
        if over {
            std::future::pending::<()>().await;
        }
        match self {
            Self::References(names) => Changed::References(names.borrow_and_update().clone()),
            Self::Everything | Self::Namespaces(_) => Changed::Choice,
        }
    }
}
