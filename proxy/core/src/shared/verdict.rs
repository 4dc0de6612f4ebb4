//! What health checks say of an endpoint.

use super::EndpointState;
use sluice_model::spec::HealthCheck;
use std::sync::atomic::Ordering;

/// Answers to the checks of an endpoint so far. Whoever checks has one for each endpoint.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Verdict {
    healthy: Option<bool>,
    /// Answers in a row that say the opposite.
    against: u32,
}

impl Verdict {
    /// One more answer; the new verdict, where it is another one. The first answer decides at once.
    pub fn answer(&mut self, check: &HealthCheck, good: bool) -> Option<bool> {
        if self.healthy == Some(good) {
            self.against = 0;
            return None;
        }
        self.against += 1;
        let enough = match self.healthy {
            None => 1,
            Some(_) if good => check.healthy_threshold,
            Some(_) => check.unhealthy_threshold,
        };
        if self.against < enough {
            return None;
        }
        *self = Self { healthy: Some(good), against: 0 };
        self.healthy
    }
}

impl EndpointState {
    /// What health checks say from now on.
    pub fn set_healthy(&self, healthy: bool) {
        let was = self.unhealthy.swap(!healthy, Ordering::Relaxed);
        let unhealthy = &self.cluster.troubles.unhealthy;
        match (was, healthy) {
            (false, false) => {
                unhealthy.fetch_add(1, Ordering::Relaxed);
            }
            (true, true) => {
                unhealthy.fetch_sub(1, Ordering::Relaxed);
            }
            _ => {}
        }
    }
}
