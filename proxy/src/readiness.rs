//! Whether the process may be sent traffic, and who says it may not.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Ready when nobody holds a [`Token`].
#[derive(Debug, Clone, Default)]
pub(crate) struct Readiness(Arc<Mutex<BTreeSet<&'static str>>>);

/// A reason not to be ready yet, under a name that `/ready` shows. Dropping it is saying "I am ready".
#[derive(Debug)]
pub(crate) struct Token {
    readiness: Readiness,
    name: &'static str,
}

impl Readiness {
    /// Holds readiness back. Names are unique among the tokens that are held.
    pub(crate) fn hold(&self, name: &'static str) -> Token {
        self.lock().insert(name);
        Token { readiness: self.clone(), name }
    }

    /// Who is late; empty means ready.
    pub(crate) fn waiting_for(&self) -> Vec<&'static str> {
        self.lock().iter().copied().collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<&'static str>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        self.readiness.lock().remove(self.name);
    }
}

#[cfg(test)]
mod tests {
    use super::Readiness;

    #[test]
    fn says_who_is_late() {
        let readiness = Readiness::default();
        let (dns, listeners) = (readiness.hold("dns"), readiness.hold("listeners"));
        assert_eq!(readiness.waiting_for(), ["dns", "listeners"]);
        drop(dns);
        assert_eq!(readiness.waiting_for(), ["listeners"]);
        drop(listeners);
        assert!(readiness.waiting_for().is_empty());
    }
}
